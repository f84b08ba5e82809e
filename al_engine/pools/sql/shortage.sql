-- Whether D has images, whether a worker is alive or an engine that starts some, and whether the campaign has images to label at
-- all.
SELECT coalesce((SELECT sum(unlabeled) > 0 FROM pools_counter WHERE campaign_id = %(campaign)s), false),
       EXISTS (SELECT 1 FROM pools_engineprocess
               WHERE campaign_id = %(campaign)s AND role IN ('worker', 'engine')
                 AND heartbeat_at > clock_timestamp() - %(silence)s::interval),
       coalesce((SELECT sum(unlabeled + queried + labeled + excluded) > 0 FROM pools_counter
                 WHERE campaign_id = %(campaign)s), false)
