-- The end of both claims: lease to each what was dealt to them.
leased AS (
    UPDATE pools_turn a
    SET state = 'leased', annotator_id = dealt.annotator_id, session = dealt.session,
        lease_expires = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
    FROM dealt
    JOIN pools_image image ON image.id = ANY (ARRAY[dealt.image_id])
    WHERE a.id = ANY (ARRAY[dealt.id])
    RETURNING a.session, a.id, a.image_id, coalesce(image.display_key, image.key) AS key,
              coalesce(image.display_width, image.width) AS width,
              coalesce(image.display_height, image.height) AS height, a.lease_expires,
              a.key AS place
)
-- By their random keys: people come to them in this order, and must not see the oldest images first.
SELECT session, id, image_id, key, width, height, lease_expires FROM leased ORDER BY place
