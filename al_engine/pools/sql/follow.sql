-- Rows of L that changed since a horizon, and the horizon to ask from next time. Transactions
-- commit out of order: a row of an older transaction can appear after a row of a younger one was
-- read. So the next call starts at the oldest transaction that is still running now; it may read
-- some rows twice, but misses none.
SELECT c.image_id, image.position, c.choice_id, c.confidence, q.purpose,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon
FROM (SELECT 1) one
LEFT JOIN pools_consensus c ON c.campaign_id = %(campaign)s AND c.changed_in >= %(since)s
LEFT JOIN LATERAL (SELECT image.position FROM pools_image image
                   WHERE image.id = c.image_id OFFSET 0) image ON true
LEFT JOIN LATERAL (SELECT q.purpose FROM pools_query q WHERE q.id = c.query_id OFFSET 0) q ON true
