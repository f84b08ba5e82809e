-- Set the end of the leases of these sessions: longer while their people work, shorter once
-- the connection dropped. What somebody is answering right now is locked and therefore left alone:
-- it needs no lease any more, and two that wait for each other's turns would stand still.
WITH held AS MATERIALIZED (
    SELECT a.id
    FROM pools_assignment a
    WHERE a.campaign_id = %(campaign)s AND a.state = 'leased'
      AND a.annotator_id = ANY(%(annotators)s::bigint[]) AND a.session = ANY(%(sessions)s::uuid[])
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE pools_assignment a
SET lease_expires = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM held WHERE a.id = held.id
