-- Lock the images of these turns, in the order of their ids. The lock on an image is the right to
-- change its queries, turns and consensus: two batches that touch one image settle it one after the
-- other, and the second sees what the first stored.
SELECT image.id
FROM (
    SELECT DISTINCT a.image_id
    FROM (SELECT a.image_id FROM pools_turn a
          WHERE a.id = ANY(%(turns)s::bigint[]) OFFSET 0) a
) touched
JOIN pools_image image ON image.id = ANY (ARRAY[touched.image_id])
ORDER BY touched.image_id
FOR NO KEY UPDATE OF image
