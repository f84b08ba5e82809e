-- The model that chose most of what S has to give out now, by a sample of it, and the size of that;
-- NULL where S is empty or random.
SELECT mode() WITHIN GROUP (ORDER BY q.model_version_id), count(*)
FROM (SELECT a.query_id FROM pools_turn a
      WHERE a.campaign_id = %(campaign)s AND a.state = 'open'
      ORDER BY a.key LIMIT 500) sample
CROSS JOIN LATERAL (SELECT q.model_version_id, q.purpose FROM pools_query q
                    WHERE q.id = sample.query_id OFFSET 0) q
WHERE q.purpose = 'active'
