-- How many queries each of these workers has in S that anybody may still take: open ones of its
-- cells of which nobody holds, answered or skipped a turn. Found from the open turns, so that it
-- does not walk over all that people hold, and from there one by one by their keys.
SELECT cell.worker_id, count(*)
FROM (SELECT DISTINCT a.image_id, a.query_id FROM pools_assignment a
      WHERE a.campaign_id = %(campaign)s AND a.state = 'open') waiting
CROSS JOIN LATERAL (SELECT q.campaign_id, q.cell FROM pools_query q
                    WHERE q.id = waiting.query_id LIMIT 1) q
CROSS JOIN LATERAL (SELECT count(*) AS turns FROM pools_assignment touched
                    WHERE touched.image_id = waiting.image_id
                      AND touched.query_id = waiting.query_id
                      AND touched.state <> 'open') others
JOIN pools_cell cell ON cell.campaign_id = q.campaign_id AND cell.cell = q.cell
WHERE cell.worker_id = ANY(%(workers)s::bigint[]) AND others.turns = 0
GROUP BY cell.worker_id
