-- The exact claim for one person, for whom the first try met images that they had before.
WITH picked AS MATERIALIZED (
    SELECT a.id, a.image_id
    FROM pools_assignment a
    WHERE a.campaign_id = %(campaign)s AND a.state = 'open'
      AND NOT EXISTS (SELECT 1 FROM pools_assignment mine
                      WHERE mine.image_id = a.image_id AND mine.annotator_id = %(annotator)s)
      AND NOT EXISTS (SELECT 1 FROM pools_label said
                      WHERE said.image_id = a.image_id AND said.annotator_id = %(annotator)s
                        AND said.retracted_at IS NULL)
      AND EXISTS (SELECT 1 FROM pools_campaign c
                  WHERE c.id = %(campaign)s AND c.state = 'running')
    ORDER BY a.key
    LIMIT %(want)s
    FOR NO KEY UPDATE SKIP LOCKED
),
dealt AS MATERIALIZED (
    SELECT DISTINCT ON (image_id) id, image_id FROM picked ORDER BY image_id, id
),
leased AS (
    UPDATE pools_assignment a
    SET state = 'leased', annotator_id = %(annotator)s, session = %(session)s::uuid,
        lease_expires = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
    FROM dealt
    JOIN pools_image image ON image.id = dealt.image_id
    WHERE a.id = dealt.id
    RETURNING a.session, a.id, a.image_id, coalesce(image.display_key, image.key) AS key,
              coalesce(image.display_width, image.width) AS width,
              coalesce(image.display_height, image.height) AS height, a.lease_expires,
              a.key AS place
)
-- As in claim.sql.
SELECT session, id, image_id, key, width, height, lease_expires FROM leased ORDER BY place
