-- The model version that chose most of the open turns in S, and the number of turns this rests on:
-- the active ones in a sample of 500. The version is NULL where S is empty or random.
SELECT mode() WITHIN GROUP (ORDER BY q.model_version_id), count(*)
FROM (SELECT a.query_id FROM pools_turn a
      WHERE a.campaign_id = %(campaign)s AND a.state = 'open'
      ORDER BY a.key LIMIT 500) sample
CROSS JOIN LATERAL (SELECT q.model_version_id, q.purpose FROM pools_query q
                    WHERE q.id = sample.query_id OFFSET 0) q
WHERE q.purpose = 'active'
