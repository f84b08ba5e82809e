-- How many answers these people have given and not taken back.
SELECT l.annotator_id, count(*)
FROM pools_label l
WHERE l.annotator_id = ANY(%(annotators)s::bigint[]) AND l.retracted_at IS NULL
GROUP BY l.annotator_id
