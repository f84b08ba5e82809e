-- Which of these labels exist and are their callers' own, retracted or not.
SELECT l.annotator_id, l.client_id
FROM pools_label l
JOIN unnest(%(annotators)s::bigint[], %(labels)s::uuid[]) AS said(annotator_id, client_id)
  USING (annotator_id, client_id)
