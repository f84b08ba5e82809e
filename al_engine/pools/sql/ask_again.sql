-- Lease turns again to the annotators whose answers were refused because the classes had changed,
-- unless somebody else holds the turn now.
WITH dealt AS MATERIALIZED (
    SELECT a.id, a.image_id, said.annotator_id, said.session
    FROM unnest(%(turns)s::bigint[], %(annotators)s::bigint[], %(sessions)s::uuid[])
      AS said(turn_id, annotator_id, session)
    JOIN pools_turn a ON a.id = ANY (ARRAY[said.turn_id]) AND a.campaign_id = %(campaign)s
    WHERE (a.state = 'leased' AND a.annotator_id = said.annotator_id
           OR a.state = 'open' AND said.annotator_id = ANY(a.former)
              AND NOT EXISTS (SELECT 1 FROM pools_turn mine
                              WHERE mine.image_id = a.image_id
                                AND mine.annotator_id = said.annotator_id OFFSET 0))
      AND EXISTS (SELECT 1 FROM pools_campaign c
                  WHERE c.id = %(campaign)s AND c.state = 'running')
    ORDER BY said.turn_id
    FOR NO KEY UPDATE OF a
),
\i parts/lease.sql
\i parts/read_leased.sql
