-- Put images back for all annotators: excluded images, and images in S that somebody skipped or
-- could not see. The caller has locked the images. An excluded image returns to D or, if it has
-- answers, to S, where its last query asks for the missing ones. Turns of skips are cancelled and
-- kept as past skips, so that the image may come to the same annotators again. Leases from before
-- the exclusion end, and so do turns whose answer was undone meanwhile; their annotators may still
-- answer late.
WITH target AS MATERIALIZED (
    SELECT image.id, image.campaign_id, image.state,
           CASE WHEN image.state = 'queried' THEN 'queried'
                WHEN image.split <> 'pool' THEN 'reserved'
                WHEN EXISTS (SELECT 1 FROM pools_label l
                             WHERE l.image_id = image.id AND l.retracted_at IS NULL
                             OFFSET 0) THEN 'queried'
                ELSE 'unlabeled' END AS becomes
    FROM pools_image image
    WHERE image.id = ANY(%(images)s::bigint[]) AND image.state IN ('excluded', 'queried')
),
ended AS MATERIALIZED (
    SELECT a.*
    FROM target
    CROSS JOIN LATERAL (SELECT * FROM pools_turn a WHERE a.image_id = target.id OFFSET 0) a
    WHERE a.state = 'skipped'
       OR target.state = 'excluded'
          AND (a.state = 'leased'
               OR a.state = 'answered'
                  AND NOT EXISTS (SELECT 1 FROM pools_label l
                                  WHERE l.image_id = a.image_id AND l.turn_id = a.id
                                    AND l.annotator_id IS NOT DISTINCT FROM a.annotator_id
                                    AND l.retracted_at IS NULL OFFSET 0))
),
freed AS (
    UPDATE pools_turn a
    SET state = 'cancelled', annotator_id = NULL, session = NULL, lease_expires = NULL,
        former = array_append(array_remove(a.former, ended.annotator_id), ended.annotator_id)
    FROM ended WHERE a.id = ANY (ARRAY[ended.id])
),
remembered AS (
    INSERT INTO pools_pastskip (campaign_id, image_id, turn, annotator_id, reason, sender, detail,
                                skipped_at)
    SELECT campaign_id, image_id, id, annotator_id, skip_reason, skip_sender, skip_detail, skipped_at
    FROM ended WHERE state = 'skipped'
),
returned AS MATERIALIZED (
    SELECT * FROM target
    WHERE target.state = 'excluded'
       OR EXISTS (SELECT 1 FROM ended WHERE ended.image_id = target.id)
),
asking AS MATERIALIZED (
    SELECT DISTINCT ON (q.image_id) q.id
    FROM returned
    CROSS JOIN LATERAL (SELECT q.id, q.image_id FROM pools_query q
                        WHERE q.image_id = returned.id OFFSET 0) q
    WHERE returned.state = 'excluded' AND returned.becomes = 'queried'
    ORDER BY q.image_id, q.id DESC
),
reopened AS (
    UPDATE pools_query q SET state = 'open', closed_at = NULL FROM asking
    WHERE q.id = ANY (ARRAY[asking.id])
)
UPDATE pools_image image
SET state = returned.becomes, problem = '', excluded_for = '', put_back_at = clock_timestamp()
FROM returned WHERE image.id = ANY (ARRAY[returned.id])
RETURNING image.campaign_id, image.id
