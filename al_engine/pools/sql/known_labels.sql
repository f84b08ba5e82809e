-- Which of these labels exist and belong to the annotators who name them, retracted or not.
SELECT l.annotator_id, l.client_id
FROM unnest(%(annotators)s::bigint[], %(labels)s::uuid[]) AS said(annotator_id, client_id)
CROSS JOIN LATERAL (SELECT l.annotator_id, l.client_id FROM pools_label l
                    WHERE l.annotator_id = said.annotator_id
                      AND l.client_id = said.client_id OFFSET 0) l
