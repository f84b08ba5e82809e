-- Take back leases that ran out, by the database's clock. Their holders may still answer late. A
-- web process takes back the leases of its own connections (sessions between `first` and `last`),
-- because it can tell their annotators; 3 seconds later any process takes them back.
WITH gone AS MATERIALIZED (
    SELECT a.id, a.session, a.annotator_id, q.state AS query_state
    FROM pools_turn a
    JOIN pools_query q ON q.id = ANY (ARRAY[a.query_id])
    JOIN pools_image image ON image.id = ANY (ARRAY[a.image_id])
    WHERE a.campaign_id = %(campaign)s AND a.state = 'leased' AND a.lease_expires < clock_timestamp()
      AND (a.session BETWEEN %(first)s::uuid AND %(last)s::uuid
           OR a.lease_expires < clock_timestamp() - interval '3 seconds')
    ORDER BY a.lease_expires
    LIMIT 2000
    -- Lock the image: a settle.sql that runs now would not see a turn that opens here. Lock the
    -- query: its state must be the present one, not the one when this statement began.
    FOR NO KEY UPDATE OF a, q, image SKIP LOCKED
),
freed AS (
    UPDATE pools_turn a
    SET state = CASE WHEN gone.query_state = 'open' THEN 'open' ELSE 'cancelled' END,
        annotator_id = NULL, session = NULL, lease_expires = NULL, key = random(),
        former = array_append(array_remove(a.former, gone.annotator_id), gone.annotator_id)
    FROM gone WHERE a.id = ANY (ARRAY[gone.id])
)
SELECT session, id FROM gone
