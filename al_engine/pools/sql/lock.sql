-- Hold the queries of the images of these turns, in one order, so that two batches that
-- touch one image settle it one after the other, each seeing what the other stored.
SELECT q.id
FROM pools_query q
WHERE q.state <> 'withdrawn'
  AND q.image_id IN (SELECT a.image_id FROM pools_assignment a WHERE a.id = ANY(%(turns)s::bigint[]))
ORDER BY q.id
FOR NO KEY UPDATE
