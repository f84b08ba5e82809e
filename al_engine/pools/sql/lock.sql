-- Hold the images of these turns and all their queries, in one order, so that two batches that
-- touch one image settle it one after the other, each seeing what the other stored. The image
-- as well as the queries: a late answer may come while a worker puts its image into S again.
SELECT q.id
FROM pools_query q
JOIN pools_image image ON image.id = q.image_id
WHERE q.image_id IN (SELECT a.image_id FROM pools_assignment a WHERE a.id = ANY(%(turns)s::bigint[]))
ORDER BY q.id
FOR NO KEY UPDATE OF q, image
