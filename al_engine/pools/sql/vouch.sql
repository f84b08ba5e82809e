-- Let annotators answer images that they were shown, although a crash of the database lost their
-- leases: they become former holders of the turn, and their answers are late. If the turn is lost
-- as well, or its id belongs to another image now, a cancelled turn of the image's newest query
-- replaces it. If the image has no query left (withdrawn and pruned), a withdrawn one is made.
WITH found AS MATERIALIZED (
    SELECT shown.annotator_id, shown.turn_id, image.id AS image_id, image.cell,
           a.id IS NOT NULL AS is_there
    FROM (
        SELECT DISTINCT t.annotator_id, t.turn_id, t.image_id
        FROM unnest(%(annotators)s::bigint[], %(turns)s::bigint[], %(images)s::bigint[])
          AS t(annotator_id, turn_id, image_id)
    ) shown
    CROSS JOIN LATERAL (SELECT image.id, image.campaign_id, image.cell FROM pools_image image
                        WHERE image.id = shown.image_id OFFSET 0) image
    LEFT JOIN LATERAL (SELECT a.id, a.image_id FROM pools_turn a
                       WHERE a.id = shown.turn_id OFFSET 0) a ON a.image_id = shown.image_id
    WHERE image.campaign_id = %(campaign)s
),
-- One row per turn: an UPDATE changes a row only once, however many annotators share it.
admitted AS (
    UPDATE pools_turn a SET former = a.former || people.ids
    FROM (SELECT turn_id, array_agg(annotator_id) AS ids
          FROM found WHERE is_there GROUP BY turn_id) people
    WHERE a.id = ANY (ARRAY[people.turn_id])
),
lost AS MATERIALIZED (
    SELECT image_id, min(cell) AS cell, array_agg(annotator_id) AS ids
    FROM found WHERE NOT is_there GROUP BY image_id
),
newest AS MATERIALIZED (
    SELECT q.id, q.image_id
    FROM lost
    CROSS JOIN LATERAL (SELECT q.id, q.image_id
                        FROM (SELECT * FROM pools_query q WHERE q.image_id = lost.image_id OFFSET 0) q
                        -- The lock keeps the query from being pruned before this commits.
                        ORDER BY q.id DESC LIMIT 1 FOR KEY SHARE) q
),
again AS (
    INSERT INTO pools_query (campaign_id, image_id, cell, answers_wanted, strategy, state, closed_at)
    SELECT campaign.id, lost.image_id, lost.cell, campaign.answers_per_image, 'unknown',
           'withdrawn', now()
    FROM lost JOIN pools_campaign campaign ON campaign.id = %(campaign)s
    WHERE NOT EXISTS (SELECT 1 FROM newest WHERE newest.image_id = lost.image_id)
    RETURNING id, image_id
),
made AS (
    INSERT INTO pools_turn (campaign_id, query_id, image_id, state, former)
    SELECT %(campaign)s, asked.id, asked.image_id, 'cancelled', lost.ids
    FROM (SELECT * FROM newest UNION ALL SELECT * FROM again) asked JOIN lost USING (image_id)
    RETURNING id, image_id
)
SELECT annotator_id, turn_id, turn_id FROM found WHERE is_there
UNION ALL
SELECT found.annotator_id, found.turn_id, made.id
FROM found JOIN made USING (image_id)
WHERE NOT found.is_there
