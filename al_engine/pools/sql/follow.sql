-- What changed in L since a horizon, and the horizon to ask from next time.
-- Transactions commit out of order: a row of an older transaction can appear after a row of a
-- younger one was read. So the next reading starts at the oldest transaction that was still
-- running now, and reads some rows a second time rather than missing one.
SELECT c.image_id, image.position, c.choice_id, c.confidence, q.purpose,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon
FROM (SELECT 1) one
LEFT JOIN pools_consensus c ON c.campaign_id = %(campaign)s AND c.changed_in >= %(since)s
LEFT JOIN pools_image image ON image.id = c.image_id
LEFT JOIN pools_query q ON q.id = c.query_id
