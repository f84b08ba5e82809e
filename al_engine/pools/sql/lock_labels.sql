-- Lock the images of these turns and of these labels; lock.sql is for turns alone.
SELECT image.id
FROM (
    SELECT DISTINCT either.image_id
    FROM (
        (SELECT a.image_id FROM pools_turn a WHERE a.id = ANY(%(turns)s::bigint[]) OFFSET 0)
        UNION ALL
        SELECT l.image_id
        FROM unnest(%(annotators)s::bigint[], %(labels)s::uuid[]) AS said(annotator_id, client_id)
        CROSS JOIN LATERAL (SELECT l.image_id FROM pools_label l
                            WHERE l.annotator_id = said.annotator_id
                              AND l.client_id = said.client_id OFFSET 0) l
    ) either
) touched
JOIN pools_image image ON image.id = ANY (ARRAY[touched.image_id])
ORDER BY touched.image_id
FOR NO KEY UPDATE OF image
