-- After a retraction: the author holds the turn again, and an image whose answers no longer
-- suffice goes back from L to S.
WITH undone AS MATERIALIZED (
    SELECT a.id AS assignment_id, a.image_id, a.query_id, said.annotator_id, said.session
    FROM unnest(%(turns)s::bigint[], %(annotators)s::bigint[], %(sessions)s::uuid[])
      AS said(turn_id, annotator_id, session)
    JOIN pools_assignment a ON a.id = said.turn_id AND a.annotator_id = said.annotator_id
                           AND a.state = 'answered'
    -- Another query may ask the image by now: then this one stays closed.
    WHERE NOT EXISTS (SELECT 1 FROM pools_query other
                      WHERE other.image_id = a.image_id AND other.state = 'open'
                        AND other.id <> a.query_id)
),
short AS MATERIALIZED (
    SELECT DISTINCT undone.image_id, undone.query_id
    FROM undone
    JOIN pools_query q ON q.id = undone.query_id
    WHERE (SELECT count(*) FROM pools_label l
           WHERE l.image_id = undone.image_id AND l.retracted_at IS NULL) < q.answers_wanted
),
reopened AS (
    UPDATE pools_query q SET state = 'open', closed_at = NULL
    FROM short WHERE q.id = short.query_id AND q.state = 'closed'
),
back AS (
    UPDATE pools_image image SET state = 'queried'
    FROM short WHERE image.id = short.image_id AND image.state = 'labeled'
),
undecided AS (
    UPDATE pools_consensus c
    SET choice_id = NULL, confidence = 0, answers = 0, decided_at = now(),
        changed_in = pg_current_xact_id()::text::bigint
    FROM short WHERE c.image_id = short.image_id AND c.choice_id IS NOT NULL
)
UPDATE pools_assignment a
SET state = 'leased', session = undone.session,
    lease_expires = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM undone, pools_image image
WHERE a.id = undone.assignment_id AND image.id = a.image_id
RETURNING a.session, a.id, a.image_id, image.key, image.width, image.height, a.lease_expires
