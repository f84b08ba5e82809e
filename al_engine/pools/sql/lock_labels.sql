-- Hold the images of these turns and of these labels, as lock.sql does those of turns alone.
SELECT image.id
FROM pools_image image
WHERE image.id IN (
    SELECT a.image_id FROM pools_assignment a WHERE a.id = ANY(%(turns)s::bigint[])
    UNION ALL
    SELECT l.image_id
    FROM unnest(%(annotators)s::bigint[], %(labels)s::uuid[]) AS said(annotator_id, client_id)
    JOIN pools_label l USING (annotator_id, client_id))
ORDER BY image.id
FOR NO KEY UPDATE
