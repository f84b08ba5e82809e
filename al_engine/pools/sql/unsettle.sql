-- After a retraction, return the image from L to S, unless it is there already, and lease the turn
-- to the author of the label again. settle.sql runs next: it decides anew where the other answers
-- suffice.
WITH undone AS MATERIALIZED (
    SELECT said.annotator_id, said.session, a.id AS turn_id, a.campaign_id, a.image_id, a.query_id,
           a.state = 'answered' AND a.annotator_id = said.annotator_id AS theirs
    FROM unnest(%(turns)s::bigint[], %(annotators)s::bigint[], %(sessions)s::uuid[])
      AS said(turn_id, annotator_id, session)
    CROSS JOIN LATERAL (SELECT * FROM pools_turn a WHERE a.id = said.turn_id OFFSET 0) a
    CROSS JOIN LATERAL (SELECT image.state FROM pools_image image
                        WHERE image.id = a.image_id OFFSET 0) image
    WHERE image.state IN ('queried', 'labeled')
),
asking AS MATERIALIZED (
    -- The image's open query, else the newest query whose answer was retracted.
    SELECT DISTINCT ON (q.image_id) q.image_id, q.id AS query_id
    FROM (SELECT DISTINCT image_id FROM undone) image
    CROSS JOIN LATERAL (SELECT q.id, q.image_id, q.state FROM pools_query q
                        WHERE q.image_id = image.image_id OFFSET 0) q
    WHERE q.state = 'open' OR q.id IN (SELECT query_id FROM undone)
    ORDER BY q.image_id, q.state = 'open' DESC, q.id DESC
),
reopened AS (
    UPDATE pools_query q SET state = 'open', closed_at = NULL
    FROM asking WHERE q.id = ANY (ARRAY[asking.query_id]) AND q.state <> 'open'
),
back AS (
    UPDATE pools_image image SET state = 'queried'
    FROM asking WHERE image.id = ANY (ARRAY[asking.image_id]) AND image.state = 'labeled'
),
undecided AS (
    UPDATE pools_consensus c
    SET choice_id = NULL, confidence = 0, answers = 0, decided_at = now(),
        changed_in = pg_current_xact_id()::text::bigint
    FROM asking WHERE c.image_id = ANY (ARRAY[asking.image_id]) AND c.choice_id IS NOT NULL
),
held AS (
    UPDATE pools_turn a
    SET state = 'leased', session = undone.session,
        lease_expires = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
    FROM undone WHERE a.id = ANY (ARRAY[undone.turn_id]) AND undone.theirs
    RETURNING a.session, a.id, a.image_id, a.lease_expires
),
another AS (
    -- A late answer has no turn of its own if somebody else held the turn.
    INSERT INTO pools_turn (campaign_id, query_id, image_id, state, annotator_id, session,
                                  lease_expires)
    SELECT undone.campaign_id, asking.query_id, undone.image_id, 'leased', undone.annotator_id,
           undone.session, clock_timestamp() + make_interval(secs => %(lease_seconds)s)
    FROM undone JOIN asking ON asking.image_id = undone.image_id
    WHERE NOT undone.theirs
    ON CONFLICT (image_id, annotator_id) DO NOTHING
    RETURNING session, id, image_id, lease_expires
)
SELECT turn.session, turn.id, turn.image_id,
\i parts/shown_file.sql
       , turn.lease_expires
FROM (SELECT * FROM held UNION ALL SELECT * FROM another) turn
CROSS JOIN LATERAL (SELECT * FROM pools_image image WHERE image.id = turn.image_id OFFSET 0) image
