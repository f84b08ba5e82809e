-- The model that chose most of what S has to give out now, by a sample of it; NULL where S is empty
-- or random.
SELECT mode() WITHIN GROUP (ORDER BY q.model_version_id)
FROM (SELECT a.query_id FROM pools_assignment a
      WHERE a.campaign_id = %(campaign)s AND a.state = 'open'
      ORDER BY a.key LIMIT 50) sample
JOIN pools_query q ON q.id = sample.query_id
WHERE q.purpose = 'active'
