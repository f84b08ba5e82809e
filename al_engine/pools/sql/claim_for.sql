-- Claim turns for one annotator, for whom claim.sql drew images that they had before.
WITH picked AS MATERIALIZED (
    SELECT a.id, a.image_id
    FROM pools_turn a
    WHERE a.campaign_id = %(campaign)s AND a.state = 'open'
      AND NOT EXISTS (SELECT 1 FROM pools_turn mine
                      WHERE mine.image_id = a.image_id AND mine.annotator_id = %(annotator)s OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM pools_label said
                      WHERE said.image_id = a.image_id
                        AND said.annotator_id IS NOT DISTINCT FROM %(annotator)s
                        AND said.retracted_at IS NULL OFFSET 0)
      AND EXISTS (SELECT 1 FROM pools_campaign c
                  WHERE c.id = %(campaign)s AND c.state = 'running')
    ORDER BY a.key
    LIMIT %(want)s
    FOR NO KEY UPDATE SKIP LOCKED
),
dealt AS MATERIALIZED (
    SELECT DISTINCT ON (image_id) id, image_id, %(annotator)s::bigint AS annotator_id,
           %(session)s::uuid AS session
    FROM picked ORDER BY image_id, id
),
\i parts/lease.sql
\i parts/read_leased.sql
