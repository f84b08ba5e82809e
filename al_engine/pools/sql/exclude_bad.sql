-- Exclude images that two annotators skipped as a bad image. Skips sent by machines do not count,
-- nor do skips from before the image was put back: put_back.sql cancelled those turns.
WITH said AS MATERIALIZED (
    SELECT DISTINCT t.image_id
    FROM (SELECT t.image_id FROM pools_turn t
          WHERE t.id = ANY(%(turns)s::bigint[]) OFFSET 0) t
),
bad AS MATERIALIZED (
    SELECT a.image_id
    FROM said
    CROSS JOIN LATERAL (SELECT image.state FROM pools_image image
                        WHERE image.id = said.image_id OFFSET 0) image
    CROSS JOIN LATERAL (SELECT * FROM pools_turn a
                        WHERE a.image_id = said.image_id OFFSET 0) a
    WHERE image.state = 'queried' AND a.state = 'skipped' AND a.skip_reason = 'bad_image'
      AND a.skip_sender = 'person'
    GROUP BY a.image_id
    HAVING count(DISTINCT a.annotator_id) >= 2
),
closed AS (
    UPDATE pools_query q SET state = 'closed', closed_at = now()
    FROM bad WHERE q.image_id = ANY (ARRAY[bad.image_id]) AND q.state LIKE 'open'
),
cancelled AS (
    UPDATE pools_turn a SET state = 'cancelled'
    FROM bad WHERE a.image_id = ANY (ARRAY[bad.image_id]) AND a.state LIKE 'open'
)
UPDATE pools_image image
SET state = 'excluded', excluded_for = 'verdict', problem = %(problem)s
FROM bad WHERE image.id = ANY (ARRAY[bad.image_id]) AND image.state = 'queried'
