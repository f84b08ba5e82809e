-- Take back labels of their own authors; the fact stays, with the time of its retraction.
UPDATE pools_label l
SET retracted_at = clock_timestamp()
FROM unnest(%(annotators)s::bigint[], %(labels)s::uuid[]) AS said(annotator_id, client_id)
WHERE l.annotator_id = said.annotator_id AND l.client_id = said.client_id
  AND l.retracted_at IS NULL
RETURNING l.assignment_id, l.annotator_id, l.client_id
