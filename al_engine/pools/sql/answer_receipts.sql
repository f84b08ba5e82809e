-- The receipt of each answer that answer.sql did not store.
SELECT said.annotator_id, said.client_id,
       CASE
           WHEN label.choice_id = said.choice_id
             AND (label.turn_id = said.turn_id OR label.image_id = said.image_id)
               THEN 'repeated'
           WHEN label.id IS NOT NULL THEN 'conflict'
           WHEN a.id IS NULL THEN 'unknown_query'
           WHEN EXISTS (SELECT 1 FROM pools_turn mine
                        WHERE mine.image_id = a.image_id AND mine.annotator_id = said.annotator_id
                          AND mine.state IN ('answered', 'skipped') OFFSET 0)
             OR EXISTS (SELECT 1 FROM pools_label mine
                        WHERE mine.image_id = a.image_id
                          AND mine.annotator_id IS NOT DISTINCT FROM said.annotator_id
                          AND mine.retracted_at IS NULL OFFSET 0)
               THEN 'too_late'
           WHEN NOT (said.annotator_id = ANY(a.former)
                     OR (a.state = 'leased' AND a.annotator_id = said.annotator_id))
               THEN 'not_yours'
           WHEN choice.id IS NULL
                AND coalesce(said.version, campaign.choices_version) = campaign.choices_version
               THEN 'unknown_choice'
           ELSE 'other_choices'
       END AS receipt
FROM unnest(%(ids)s::uuid[], %(annotators)s::bigint[], %(turns)s::bigint[], %(choices)s::bigint[],
            %(images)s::bigint[], %(lists)s::int[])
  AS said(client_id, annotator_id, turn_id, choice_id, image_id, version)
JOIN pools_campaign campaign ON campaign.id = %(campaign)s
LEFT JOIN LATERAL (SELECT choice.id, choice.campaign_id FROM pools_choice choice
                   WHERE choice.id = said.choice_id OFFSET 0) choice
  ON choice.campaign_id = campaign.id
LEFT JOIN LATERAL (SELECT label.id, label.choice_id, label.turn_id, label.image_id
                   FROM pools_label label
                   WHERE label.annotator_id = said.annotator_id
                     AND label.client_id = said.client_id OFFSET 0) label ON true
LEFT JOIN LATERAL (SELECT * FROM pools_turn a WHERE a.id = said.turn_id OFFSET 0) a
  ON a.campaign_id = campaign.id AND said.image_id IN (0, a.image_id)
