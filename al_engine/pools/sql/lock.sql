-- Hold the images of these turns, in one order. The lock on an image is the right to change its
-- queries, turns and consensus: two batches that touch one image settle it one after the other,
-- each seeing what the other stored.
SELECT image.id
FROM pools_image image
WHERE image.id IN (SELECT a.image_id FROM pools_assignment a WHERE a.id = ANY(%(turns)s::bigint[]))
ORDER BY image.id
FOR NO KEY UPDATE
