-- Exclude images whose files are faulty, so that nobody is asked about a picture that cannot be
-- seen (a machine's finding), or that somebody who runs the campaign does not want (a verdict).
-- put_back.sql reverts both.
WITH found AS MATERIALIZED (
    SELECT *
    FROM unnest(%(images)s::bigint[], %(kinds)s::text[], %(problems)s::text[])
      AS t(image_id, kind, problem)
),
aside AS MATERIALIZED (
    SELECT image.id, found.kind, found.problem
    FROM found JOIN pools_image image ON image.id = ANY (ARRAY[found.image_id])
    WHERE image.state = ANY(%(states)s::text[])
    ORDER BY found.image_id
    FOR NO KEY UPDATE OF image
),
closed AS (
    UPDATE pools_query q SET state = 'closed', closed_at = now()
    FROM aside WHERE q.image_id = ANY (ARRAY[aside.id]) AND q.state LIKE 'open'
),
cancelled AS (
    UPDATE pools_turn a SET state = 'cancelled'
    FROM aside WHERE a.image_id = ANY (ARRAY[aside.id]) AND a.state LIKE 'open'
)
UPDATE pools_image image
SET state = 'excluded', excluded_for = aside.kind, problem = left(aside.problem, 300)
FROM aside WHERE image.id = ANY (ARRAY[aside.id])
RETURNING image.id
