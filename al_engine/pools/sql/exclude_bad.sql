-- An image that two people called unusable leaves the pools. What they said before somebody put
-- it back does not count: whoever runs the campaign has looked at it and knows better.
WITH said AS MATERIALIZED (
    SELECT DISTINCT t.image_id FROM pools_assignment t WHERE t.id = ANY(%(turns)s::bigint[])
),
bad AS MATERIALIZED (
    SELECT a.image_id
    FROM said
    JOIN pools_image image ON image.id = said.image_id
    JOIN pools_assignment a ON a.image_id = said.image_id
    WHERE image.state = 'queried' AND a.state = 'skipped' AND a.skip_reason = 'bad_image'
      AND (image.put_back_at IS NULL OR a.skipped_at > image.put_back_at)
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
UPDATE pools_image image SET state = 'excluded', problem = %(problem)s
FROM bad WHERE image.id = bad.image_id AND image.state = 'queried'
