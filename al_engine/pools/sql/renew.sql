-- Set the end of the leases of these sessions: later while their annotators work, sooner once the
-- connection dropped. Turns that are being answered are locked and left alone: they need no lease
-- any more, and two statements that wait for each other's turns would deadlock.
WITH held AS MATERIALIZED (
    SELECT a.id
    FROM unnest(%(annotators)s::bigint[], %(sessions)s::uuid[]) AS said(annotator_id, session)
    CROSS JOIN LATERAL (
        SELECT a.id
        FROM pools_turn a
        WHERE a.state = 'leased' AND a.session = said.session
          AND a.annotator_id IS NOT DISTINCT FROM said.annotator_id
        FOR NO KEY UPDATE SKIP LOCKED
    ) a
)
UPDATE pools_turn a
SET lease_expires = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM held WHERE a.id = ANY (ARRAY[held.id])
