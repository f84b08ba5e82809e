-- Give a worker its share of the cells: renew the leases it holds, release cells above its share,
-- and take cells that are free or whose lease ran out.
WITH share AS MATERIALIZED (
    -- Shares differ by one cell at most; the live workers with the lowest ids have the larger ones.
    SELECT %(cells)s / %(workers)s + (count(*) < %(cells)s %% %(workers)s)::int AS cells
    FROM pools_engineprocess older
    WHERE older.campaign_id = %(campaign)s AND older.role = 'worker' AND older.id < %(worker)s
      AND older.heartbeat_at > clock_timestamp() - make_interval(secs => %(silence)s)
),
mine AS MATERIALIZED (
    SELECT cell.id, cell.cell
    FROM pools_cell cell
    WHERE cell.campaign_id = %(campaign)s AND cell.worker_id = %(worker)s
      AND cell.lease_expires > clock_timestamp()
    FOR NO KEY UPDATE
),
held AS MATERIALIZED (
    SELECT mine.id, row_number() OVER (ORDER BY mine.cell) <= share.cells AS keep
    FROM mine, share
),
free AS MATERIALIZED (
    SELECT cell.id
    FROM pools_cell cell
    WHERE cell.campaign_id = %(campaign)s
      AND (cell.worker_id IS NULL OR cell.lease_expires <= clock_timestamp())
    ORDER BY cell.cell
    LIMIT greatest((SELECT cells FROM share) - (SELECT count(*) FROM held), 0)
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
