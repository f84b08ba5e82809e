-- Move the leases of a dropped connection to the session that resumes it.
UPDATE pools_turn a
SET session = %(session)s::uuid,
    lease_expires = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM pools_image image
WHERE a.state = 'leased' AND a.session = %(former)s::uuid
  AND a.annotator_id IS NOT DISTINCT FROM %(annotator)s
  AND image.id = ANY (ARRAY[a.image_id])
  AND EXISTS (SELECT 1 FROM pools_campaign c
              WHERE c.id = %(campaign)s AND c.state = 'running')
RETURNING a.session, a.id, a.image_id,
\i parts/shown_file.sql
              , a.lease_expires
