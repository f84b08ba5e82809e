-- Lease open turns at random: from a random key on, wrapping round, in the order of the
-- index, so that the time does not depend on the size of S, D or L. Everybody gets a first
-- turn before anybody gets a second. MATERIALIZED: a LIMIT in a subquery that the plan runs
-- twice would claim more than it was asked.
WITH demand AS MATERIALIZED (
    SELECT d.annotator_id, d.session, row_number() OVER (ORDER BY nth, d.place) AS slot
    FROM unnest(%(annotators)s::bigint[], %(sessions)s::uuid[], %(wants)s::int[])
         WITH ORDINALITY AS d(annotator_id, session, want, place),
         generate_series(1, d.want) AS nth
    WHERE EXISTS (SELECT 1 FROM pools_campaign c
                  WHERE c.id = %(campaign)s AND c.state = 'running')
),
onward AS MATERIALIZED (
    SELECT a.id, a.image_id, a.key
    FROM pools_assignment a
    WHERE a.campaign_id = %(campaign)s AND a.state = 'open' AND a.key >= %(start)s
    ORDER BY a.key
    LIMIT (SELECT count(*) FROM demand)
    FOR NO KEY UPDATE SKIP LOCKED
),
wrapped AS MATERIALIZED (
    SELECT a.id, a.image_id, a.key
    FROM pools_assignment a
    WHERE a.campaign_id = %(campaign)s AND a.state = 'open' AND a.key < %(start)s
    ORDER BY a.key
    LIMIT (SELECT count(*) FROM demand) - (SELECT count(*) FROM onward)
    FOR NO KEY UPDATE SKIP LOCKED
),
dealt AS MATERIALIZED (
    SELECT DISTINCT ON (demand.annotator_id, picked.image_id)
           picked.id, picked.image_id, demand.annotator_id, demand.session
    FROM (SELECT p.*, row_number() OVER () AS slot
          FROM (SELECT * FROM onward UNION ALL SELECT * FROM wrapped) p) picked
    JOIN demand ON demand.slot = picked.slot
    -- Nobody gets an image a second time; who meets one here is served by claim_for.sql.
    WHERE NOT EXISTS (SELECT 1 FROM pools_assignment mine
                      WHERE mine.image_id = picked.image_id
                        AND mine.annotator_id = demand.annotator_id)
    ORDER BY demand.annotator_id, picked.image_id
)
UPDATE pools_assignment a
SET state = 'leased', annotator_id = dealt.annotator_id, session = dealt.session,
    lease_expires = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
FROM dealt
JOIN pools_image image ON image.id = dealt.image_id
WHERE a.id = dealt.id
RETURNING a.session, a.id, a.image_id, image.key, image.width, image.height, a.lease_expires
