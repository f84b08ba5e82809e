-- Skip turns. A skipped turn stays with its annotator, who is not asked the image again until it is
-- put back; the query gets another turn for somebody else.
WITH said AS MATERIALIZED (
    SELECT *
    FROM unnest(%(annotators)s::bigint[], %(turns)s::bigint[], %(reasons)s::text[],
                %(senders)s::text[], %(details)s::text[])
      AS t(annotator_id, turn_id, reason, sender, detail)
),
skipped AS (
    UPDATE pools_turn a
    SET state = 'skipped', skip_reason = said.reason, skip_sender = said.sender,
        skip_detail = said.detail, skipped_at = clock_timestamp(), session = NULL,
        lease_expires = NULL
    FROM said
    WHERE a.id = ANY (ARRAY[said.turn_id]) AND a.campaign_id = %(campaign)s
      AND a.state LIKE 'leased' AND a.annotator_id IS NOT DISTINCT FROM said.annotator_id
    RETURNING a.query_id, a.image_id
)
INSERT INTO pools_turn (campaign_id, query_id, image_id)
SELECT %(campaign)s, skipped.query_id, skipped.image_id
FROM skipped
CROSS JOIN LATERAL (SELECT q.state FROM pools_query q WHERE q.id = skipped.query_id OFFSET 0) q
WHERE q.state = 'open'
