-- Hold the images of these labels, as lock.sql does those of turns.
SELECT image.id
FROM pools_image image
WHERE image.id IN (
    SELECT l.image_id
    FROM unnest(%(annotators)s::bigint[], %(labels)s::uuid[]) AS said(annotator_id, client_id)
    JOIN pools_label l USING (annotator_id, client_id))
ORDER BY image.id
FOR NO KEY UPDATE
