-- Skip turns: they stay with their person, who never gets the image again,
-- and the query gets another turn for somebody else.
WITH said AS MATERIALIZED (
    SELECT *
    FROM unnest(%(annotators)s::bigint[], %(turns)s::bigint[], %(reasons)s::text[])
      AS t(annotator_id, turn_id, reason)
),
skipped AS (
    UPDATE pools_assignment a
    SET state = 'skipped', skip_reason = said.reason, skipped_at = clock_timestamp(),
        session = NULL, lease_expires = NULL
    FROM said
    WHERE a.id = said.turn_id AND a.campaign_id = %(campaign)s
      AND a.state = 'leased' AND a.annotator_id = said.annotator_id
    RETURNING a.query_id, a.image_id
)
INSERT INTO pools_assignment (campaign_id, query_id, image_id)
SELECT %(campaign)s, skipped.query_id, skipped.image_id
FROM skipped JOIN pools_query q ON q.id = skipped.query_id AND q.state = 'open'
