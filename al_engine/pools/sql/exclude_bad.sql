-- An image that two people called unusable leaves the pools.
WITH bad AS MATERIALIZED (
    SELECT a.image_id
    FROM pools_assignment a
    WHERE a.image_id IN (SELECT t.image_id FROM pools_assignment t WHERE t.id = ANY(%(turns)s::bigint[]))
      AND a.state = 'skipped' AND a.skip_reason = 'bad_image'
    GROUP BY a.image_id
    HAVING count(DISTINCT a.annotator_id) >= 2
),
closed AS (
    UPDATE pools_query q SET state = 'closed', closed_at = now()
    FROM bad WHERE q.image_id = bad.image_id AND q.state = 'open'
),
cancelled AS (
    UPDATE pools_assignment a SET state = 'cancelled'
    FROM bad WHERE a.image_id = bad.image_id AND a.state = 'open'
)
UPDATE pools_image image SET state = 'excluded', problem = 'Two people called it unusable.'
FROM bad WHERE image.id = bad.image_id AND image.state = 'queried'
