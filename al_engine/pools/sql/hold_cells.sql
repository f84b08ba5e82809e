-- A worker's share of the cells: renew what it holds, let go of what is too much, take what
-- is free or whose holder went silent.
WITH mine AS MATERIALIZED (
    SELECT cell.id, cell.cell
    FROM pools_cell cell
    WHERE cell.campaign_id = %(campaign)s AND cell.worker_id = %(worker)s
      AND cell.lease_expires > clock_timestamp()
    FOR NO KEY UPDATE
),
held AS MATERIALIZED (
    SELECT mine.id, row_number() OVER (ORDER BY mine.cell) <= %(share)s AS keep FROM mine
),
free AS MATERIALIZED (
    SELECT cell.id
    FROM pools_cell cell
    WHERE cell.campaign_id = %(campaign)s
      AND (cell.worker_id IS NULL OR cell.lease_expires <= clock_timestamp())
    ORDER BY cell.cell
    LIMIT greatest(%(share)s - (SELECT count(*) FROM held), 0)
    FOR NO KEY UPDATE SKIP LOCKED
),
wanted AS (
    SELECT id, keep FROM held UNION ALL SELECT id, true FROM free
)
UPDATE pools_cell cell
SET worker_id = CASE WHEN wanted.keep THEN %(worker)s::bigint END,
    lease_expires = CASE WHEN wanted.keep
                         THEN clock_timestamp() + make_interval(secs => %(seconds)s) END
FROM wanted
WHERE cell.id = wanted.id
RETURNING cell.cell, wanted.keep
