-- Hold the images of these labels and all their queries, as lock.sql does those of turns.
SELECT q.id
FROM pools_query q
JOIN pools_image image ON image.id = q.image_id
WHERE q.image_id IN (
    SELECT l.image_id
    FROM unnest(%(annotators)s::bigint[], %(labels)s::uuid[]) AS said(annotator_id, client_id)
    JOIN pools_label l USING (annotator_id, client_id))
ORDER BY q.id
FOR NO KEY UPDATE OF q, image
