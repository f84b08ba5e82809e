-- Lease each turn of `dealt` to its annotator; shared by the claims and ask_again.sql.
leased AS (
    UPDATE pools_turn a
    SET state = 'leased', annotator_id = dealt.annotator_id, session = dealt.session,
        lease_expires = clock_timestamp() + make_interval(secs => %(lease_seconds)s)
    FROM dealt
    JOIN pools_image image ON image.id = ANY (ARRAY[dealt.image_id])
    WHERE a.id = ANY (ARRAY[dealt.id])
    RETURNING a.session, a.id, a.image_id,
\i parts/shown_file.sql
              , a.lease_expires, a.key AS place
)
