-- Withdraw queries from S, but only those whose turns are all open. A query that is being claimed
-- is locked and therefore left alone.
WITH theirs AS MATERIALIZED (
    -- DISTINCT, because locked turns are counted below.
    SELECT DISTINCT given.query_id
    FROM unnest(%(queries)s::bigint[]) AS given(query_id)
    CROSS JOIN LATERAL (SELECT q.campaign_id, q.cell FROM pools_query q
                        WHERE q.id = given.query_id OFFSET 0) q
    CROSS JOIN LATERAL (SELECT cell.worker_id, cell.lease_expires FROM pools_cell cell
                        WHERE cell.campaign_id = q.campaign_id AND cell.cell = q.cell LIMIT 1) cell
    WHERE q.campaign_id = %(campaign)s
      AND cell.worker_id = ANY(%(workers)s::bigint[]) AND cell.lease_expires > clock_timestamp()
),
target AS MATERIALIZED (
    SELECT q.id, q.image_id
    FROM theirs
    JOIN pools_query q ON q.id = ANY (ARRAY[theirs.query_id])
    JOIN pools_image image ON image.id = ANY (ARRAY[q.image_id])
    WHERE q.state LIKE 'open'
    ORDER BY theirs.query_id
    FOR NO KEY UPDATE OF q, image SKIP LOCKED
),
locked AS MATERIALIZED (
    SELECT a.id, a.query_id
    FROM target
    JOIN pools_turn a
      ON a.image_id = ANY (ARRAY[target.image_id]) AND a.query_id = target.id
    WHERE a.state LIKE 'open'
    FOR NO KEY UPDATE OF a SKIP LOCKED
),
free AS MATERIALIZED (
    SELECT target.id, target.image_id
    FROM target
    WHERE (SELECT count(*) FROM locked WHERE locked.query_id = target.id)
        = (SELECT count(*) FROM pools_turn a
           WHERE a.image_id = target.image_id AND a.query_id = target.id)
      -- A late answer may have come while somebody else held the turn.
      AND NOT EXISTS (SELECT 1 FROM pools_label l
                      WHERE l.image_id = target.image_id AND l.query_id = target.id
                        AND l.retracted_at IS NULL OFFSET 0)
),
cancelled AS (
    UPDATE pools_turn a SET state = 'cancelled'
    FROM free WHERE a.image_id = ANY (ARRAY[free.image_id]) AND a.query_id = free.id
),
withdrawn AS (
    UPDATE pools_query q SET state = 'withdrawn', closed_at = now()
    FROM free WHERE q.id = ANY (ARRAY[free.id])
)
UPDATE pools_image image SET state = 'unlabeled'
FROM free WHERE image.id = ANY (ARRAY[free.image_id]) AND image.state = 'queried'
