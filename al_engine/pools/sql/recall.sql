-- Take back turns that their holders have not reached, if a model older than `newest` chose the
-- query: the images return to D, and the holders get newer queries. `turns` are in the order in
-- which the holders reach them. Of a session's `ready` turns, the first in this order go first, and
-- `keep` stay. Unready turns go too, unless they are needed to reach `keep`. Only queries with a
-- single turn and no answer are taken back. Former holders may still answer late. Turns that are
-- being answered are locked and therefore left alone.
WITH spare AS MATERIALIZED (
    SELECT given.turn, given.session, given.keep, given.ready, given.place, a.image_id,
           q.purpose = 'active'
           -- Queries that no model chose are outdated as well if `at_random`, which is false for a
           -- campaign that has random selection among its strategies.
           AND coalesce(q.model_version_id < %(newest)s, %(at_random)s) AS outdated
    FROM unnest(%(turns)s::bigint[], %(sessions)s::uuid[], %(keep)s::int[], %(ready)s::bool[])
         WITH ORDINALITY AS given (turn, session, keep, ready, place)
    CROSS JOIN LATERAL (SELECT * FROM pools_turn a WHERE a.id = given.turn OFFSET 0) a
    CROSS JOIN LATERAL (SELECT q.purpose, q.model_version_id FROM pools_query q
                        WHERE q.id = a.query_id OFFSET 0) q
    WHERE a.campaign_id = %(campaign)s AND a.state = 'leased'
),
chosen AS MATERIALIZED (
    SELECT ranked.turn, ranked.image_id
    FROM (
        SELECT turn, image_id, place, outdated, ready,
               count(*) FILTER (WHERE ready) OVER (PARTITION BY session) - keep AS may_go,
               row_number() OVER (PARTITION BY session, outdated, ready ORDER BY place) AS nth
        FROM spare
    ) ranked
    WHERE outdated AND CASE WHEN ready THEN nth <= may_go ELSE nth > -may_go END
    ORDER BY place
    LIMIT %(most)s
),
gone AS MATERIALIZED (
    SELECT a.id, a.session, a.annotator_id, q.id AS query_id, image.id AS image_id
    FROM chosen
    JOIN pools_turn a ON a.id = ANY (ARRAY[chosen.turn])
    JOIN pools_query q ON q.id = ANY (ARRAY[a.query_id])
    JOIN pools_image image ON image.id = ANY (ARRAY[chosen.image_id])
    WHERE a.state LIKE 'leased' AND q.state LIKE 'open'
      AND NOT EXISTS (SELECT 1 FROM pools_turn other
                      WHERE other.image_id = a.image_id AND other.query_id = q.id
                        AND other.id <> a.id OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM pools_label l
                      WHERE l.image_id = a.image_id AND l.query_id = q.id
                        AND l.retracted_at IS NULL OFFSET 0)
    ORDER BY chosen.image_id
    FOR NO KEY UPDATE OF a, q, image SKIP LOCKED
),
freed AS (
    UPDATE pools_turn a
    SET state = 'cancelled', annotator_id = NULL, session = NULL, lease_expires = NULL,
        former = array_append(array_remove(a.former, gone.annotator_id), gone.annotator_id)
    FROM gone WHERE a.id = ANY (ARRAY[gone.id])
),
withdrawn AS (
    UPDATE pools_query q SET state = 'withdrawn', closed_at = now()
    FROM gone WHERE q.id = ANY (ARRAY[gone.query_id])
),
returned AS (
    UPDATE pools_image image SET state = 'unlabeled'
    FROM gone WHERE image.id = ANY (ARRAY[gone.image_id]) AND image.state = 'queried'
)
SELECT session, id FROM gone
