-- Set the end of the leases of these sessions: longer while their people work, shorter once
-- the connection dropped.
UPDATE pools_assignment a
SET lease_expires = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE a.campaign_id = %(campaign)s AND a.state = 'leased'
  AND a.annotator_id = ANY(%(annotators)s::bigint[]) AND a.session = ANY(%(sessions)s::uuid[])
