-- Whether D has images, whether a worker is alive, and whether the campaign has images to label at
-- all.
SELECT coalesce((SELECT sum(unlabeled) > 0 FROM pools_counter WHERE campaign_id = %(campaign)s), false),
       EXISTS (SELECT 1 FROM pools_engineprocess
               WHERE campaign_id = %(campaign)s AND role = 'worker'
                 AND heartbeat_at > clock_timestamp() - %(silence)s::interval),
       coalesce((SELECT sum(unlabeled + queried + labeled + excluded) > 0 FROM pools_counter
                 WHERE campaign_id = %(campaign)s), false)
