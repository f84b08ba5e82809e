-- The receipt of each skip. A skip after the end of its lease counts as stored: there is nothing to
-- do.
SELECT said.annotator_id, said.turn_id,
       CASE
           WHEN a.id IS NULL THEN 'unknown_query'
           WHEN a.state = 'skipped' AND a.annotator_id = said.annotator_id THEN 'stored'
           WHEN a.annotator_id = said.annotator_id THEN 'too_late'
           WHEN said.annotator_id = ANY(a.former) THEN 'stored'
           ELSE 'not_yours'
       END AS receipt
FROM unnest(%(annotators)s::bigint[], %(turns)s::bigint[]) AS said(annotator_id, turn_id)
LEFT JOIN LATERAL (SELECT * FROM pools_turn a WHERE a.id = said.turn_id OFFSET 0) a
  ON a.campaign_id = %(campaign)s
