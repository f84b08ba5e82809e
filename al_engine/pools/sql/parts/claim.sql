-- Common table expressions that lease turns at random as `leased`; shared by claim.sql and
-- exchange.sql.
WITH onward AS MATERIALIZED (
    SELECT a.id, a.image_id
    FROM pools_turn a
    WHERE a.campaign_id = %(campaign)s AND a.state = 'open' AND a.key >= %(start)s
      AND EXISTS (SELECT 1 FROM pools_campaign c
                  WHERE c.id = %(campaign)s AND c.state = 'running')
    ORDER BY a.key
    LIMIT %(want)s
    FOR NO KEY UPDATE SKIP LOCKED
),
wrapped AS MATERIALIZED (
    SELECT a.id, a.image_id
    FROM pools_turn a
    WHERE a.campaign_id = %(campaign)s AND a.state = 'open' AND a.key < %(start)s
      AND EXISTS (SELECT 1 FROM pools_campaign c
                  WHERE c.id = %(campaign)s AND c.state = 'running')
    ORDER BY a.key
    LIMIT %(want)s - (SELECT count(*) FROM onward)
    FOR NO KEY UPDATE SKIP LOCKED
),
picked AS MATERIALIZED (
    SELECT p.id, p.image_id, row_number() OVER () AS place
    FROM (SELECT * FROM onward UNION ALL SELECT * FROM wrapped) p
),
dealt AS MATERIALIZED (
    -- By subscript, not by a join: the time stays linear in the number of turns.
    SELECT DISTINCT ON (annotator_id, image_id) id, image_id, annotator_id, session
    FROM (
        SELECT picked.id, picked.image_id,
               (%(claimers)s::bigint[])[picked.place] AS annotator_id,
               (%(sessions)s::uuid[])[picked.place] AS session
        FROM picked
    ) given
    -- No annotator gets an image twice; claim_for.sql serves those who drew one here.
    WHERE NOT EXISTS (SELECT 1 FROM pools_turn mine
                      WHERE mine.image_id = given.image_id
                        AND mine.annotator_id = given.annotator_id OFFSET 0)
      -- A late answer has no turn of its own if somebody else held the turn.
      AND NOT EXISTS (SELECT 1 FROM pools_label said
                      WHERE said.image_id = given.image_id
                        AND said.annotator_id IS NOT DISTINCT FROM given.annotator_id
                        AND said.retracted_at IS NULL OFFSET 0)
    ORDER BY annotator_id, image_id
),
\i parts/lease.sql
