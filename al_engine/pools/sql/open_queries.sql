-- The open queries of a worker's cells whose turns are all open, so that any annotator may still
-- take them: the worker's part of the depth of S.
SELECT q.id, q.image_id, image.position, q.cell, q.model_version_id, q.strategy,
       q.purpose
FROM pools_query q
CROSS JOIN LATERAL (SELECT image.position FROM pools_image image
                    WHERE image.id = q.image_id OFFSET 0) image
WHERE q.campaign_id = %(campaign)s AND q.state = 'open' AND q.cell = ANY(%(cells)s::int[])
  AND NOT EXISTS (SELECT 1 FROM pools_turn a
                  WHERE a.image_id = q.image_id AND a.query_id = q.id AND a.state <> 'open'
                  OFFSET 0)
