-- Set the end of the leases of these sessions: longer while their people work, shorter once
-- the connection dropped. What somebody is answering right now is locked and therefore left alone:
-- it needs no lease any more, and two that wait for each other's turns would stand still.
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
