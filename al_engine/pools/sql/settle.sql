-- Compute the consensus of the images of these turns: move an image to L once it has enough
-- answers, else open the turns that are missing.
WITH touched AS MATERIALIZED (
    SELECT DISTINCT ON (a.image_id) a.image_id, a.query_id
    FROM (SELECT a.image_id, a.query_id, a.campaign_id FROM pools_turn a
          WHERE a.id = ANY(%(turns)s::bigint[]) OFFSET 0) a
    WHERE a.campaign_id = %(campaign)s
    ORDER BY a.image_id, a.query_id DESC
),
tally AS (
    -- An image whose answers were all undone yields one row without a class and with 0 votes.
    SELECT touched.image_id, touched.query_id, l.choice_id, count(l.id) AS votes,
           min(l.id) AS first_label
    FROM touched
    LEFT JOIN LATERAL (SELECT l.id, l.choice_id FROM pools_label l
                       WHERE l.image_id = touched.image_id AND l.retracted_at IS NULL
                       OFFSET 0) l ON true
    GROUP BY touched.image_id, touched.query_id, l.choice_id
),
ahead AS MATERIALIZED (
    -- The class with the most votes; among equals, the one that was answered first.
    SELECT DISTINCT ON (image_id) image_id, query_id, choice_id, votes,
           sum(votes) OVER (PARTITION BY image_id) AS answers
    FROM tally
    ORDER BY image_id, votes DESC, first_label
),
judged AS MATERIALIZED (
    SELECT ahead.*,
           -- An image in L stays there: a later answer only changes its consensus.
           image.state = 'labeled'
             OR ahead.answers >= q.answers_wanted
                AND (ahead.votes >= campaign.confidence * ahead.answers
                     OR ahead.answers >= coalesce(campaign.max_answers, q.answers_wanted)) AS done
    FROM ahead
    CROSS JOIN LATERAL (SELECT q.answers_wanted FROM pools_query q
                        WHERE q.id = ahead.query_id OFFSET 0) q
    CROSS JOIN LATERAL (SELECT image.state FROM pools_image image
                        WHERE image.id = ahead.image_id OFFSET 0) image
    JOIN pools_campaign campaign ON campaign.id = %(campaign)s
    WHERE image.state <> 'excluded'
),
decided AS (
    INSERT INTO pools_consensus AS c (image_id, campaign_id, query_id, choice_id, confidence, answers)
    SELECT image_id, %(campaign)s, query_id, choice_id, votes / answers, answers
    FROM judged WHERE done
    ON CONFLICT (image_id) DO UPDATE
    SET query_id = excluded.query_id, choice_id = excluded.choice_id,
        confidence = excluded.confidence, answers = excluded.answers,
        decided_at = now(), changed_in = pg_current_xact_id()::text::bigint
    -- A repeated message changes nothing here, so that no server trains because of it.
    WHERE (c.choice_id, c.answers) IS DISTINCT FROM (excluded.choice_id, excluded.answers)
),
labeled AS (
    UPDATE pools_image image SET state = 'labeled'
    FROM judged
    WHERE judged.done
      AND image.id = ANY (ARRAY[judged.image_id]) AND image.state IN ('queried', 'unlabeled')
),
closed AS (
    UPDATE pools_query q SET state = 'closed', closed_at = now()
    FROM judged
    WHERE judged.done AND q.image_id = ANY (ARRAY[judged.image_id]) AND q.state LIKE 'open'
),
cancelled AS (
    UPDATE pools_turn a SET state = 'cancelled'
    FROM judged
    WHERE judged.done AND a.image_id = ANY (ARRAY[judged.image_id]) AND a.state LIKE 'open'
)
-- As many turns as answers are missing, and one more where enough answers disagree; live turns
-- count.
INSERT INTO pools_turn (campaign_id, query_id, image_id)
SELECT %(campaign)s, q.id, q.image_id
FROM judged
CROSS JOIN LATERAL (SELECT q.id, q.image_id, q.state, q.answers_wanted FROM pools_query q
                    WHERE q.image_id = judged.image_id OFFSET 0) q
CROSS JOIN LATERAL generate_series(
    1, greatest(q.answers_wanted - judged.answers, 1)
       - (SELECT count(*) FROM pools_turn live
          WHERE live.image_id = q.image_id AND live.query_id = q.id AND live.state IN ('open', 'leased')))
WHERE NOT judged.done AND q.state = 'open'
