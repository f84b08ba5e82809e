-- How many queries in S any annotator may still take, by worker: queries of its cells whose turns
-- are all open. They are found from the open turns, so that the turns people hold are not scanned,
-- and then by key, one by one. MATERIALIZED: with the statistics of a new campaign, PostgreSQL
-- would repeat all of this for each cell.
WITH waiting AS MATERIALIZED (
    SELECT DISTINCT a.image_id, a.query_id
    FROM (SELECT a.image_id, a.query_id FROM pools_turn a
          WHERE a.campaign_id = %(campaign)s AND a.state = 'open' OFFSET 0) a
),
untouched AS MATERIALIZED (
    SELECT q.cell, count(*) AS queries
    FROM waiting
    CROSS JOIN LATERAL (SELECT q.cell FROM pools_query q
                        WHERE q.id = waiting.query_id OFFSET 0) q
    CROSS JOIN LATERAL (SELECT count(*) AS turns FROM pools_turn touched
                        WHERE touched.image_id = waiting.image_id
                          AND touched.query_id = waiting.query_id
                          AND touched.state <> 'open') others
    WHERE others.turns = 0
    GROUP BY q.cell
)
SELECT cell.worker_id, sum(untouched.queries)::bigint
FROM untouched
JOIN pools_cell cell ON cell.campaign_id = %(campaign)s AND cell.cell = untouched.cell
WHERE cell.worker_id = ANY(%(workers)s::bigint[])
GROUP BY cell.worker_id
