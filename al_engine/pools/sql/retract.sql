-- Retract labels, each by its own author only; the row stays, with the time of its retraction.
UPDATE pools_label l
SET retracted_at = clock_timestamp()
FROM unnest(%(annotators)s::bigint[], %(labels)s::uuid[]) AS said(annotator_id, client_id)
WHERE l.annotator_id = ANY (ARRAY[said.annotator_id]) AND l.client_id = ANY (ARRAY[said.client_id])
  AND num_nulls(l.retracted_at) = 1
RETURNING l.turn_id, l.annotator_id, l.client_id
