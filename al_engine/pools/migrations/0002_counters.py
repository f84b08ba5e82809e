"""Counters kept by the database itself, so that they are right whoever writes.

Statement-level triggers with transition tables: one small update a statement, however many
rows it changes. Each backend adds to a slot of its own (by its process id), so that writers
seldom wait for one another.
"""

from django.db import migrations

ADD = """
    INSERT INTO pools_counter AS c (campaign_id, slot, unlabeled, queried, labeled, excluded, reserved)
    SELECT campaign_id, pg_backend_pid() % 16,
           coalesce(sum(sign) FILTER (WHERE state = 'unlabeled'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'queried'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'labeled'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'excluded'), 0),
           coalesce(sum(sign) FILTER (WHERE state = 'reserved'), 0)
    FROM (
        -- A change of other columns counts nothing, and makes no row for a campaign that is going.
        SELECT campaign_id, state, sum(sign) AS sign FROM ({changes}) changes
        GROUP BY campaign_id, state HAVING sum(sign) <> 0
    ) moved
    GROUP BY campaign_id
    ON CONFLICT (campaign_id, slot) DO UPDATE SET
        unlabeled = c.unlabeled + excluded.unlabeled, queried = c.queried + excluded.queried,
        labeled = c.labeled + excluded.labeled, excluded = c.excluded + excluded.excluded,
        reserved = c.reserved + excluded.reserved;
"""

COUNT_IMAGES = f"""
CREATE FUNCTION pools_count_images() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        {ADD.format(changes="SELECT campaign_id, state, 1 AS sign FROM new_rows")}
    ELSIF TG_OP = 'UPDATE' THEN
        {
    ADD.format(
        changes="SELECT campaign_id, state, 1 AS sign FROM new_rows"
        " UNION ALL SELECT campaign_id, state, -1 FROM old_rows"
    )
}
    ELSE
        -- The campaign may be going as well: change a row that exists, make none.
        UPDATE pools_counter c SET
            unlabeled = c.unlabeled - gone.unlabeled, queried = c.queried - gone.queried,
            labeled = c.labeled - gone.labeled, excluded = c.excluded - gone.excluded,
            reserved = c.reserved - gone.reserved
        FROM (
            SELECT campaign_id,
                   count(*) FILTER (WHERE state = 'unlabeled') AS unlabeled,
                   count(*) FILTER (WHERE state = 'queried') AS queried,
                   count(*) FILTER (WHERE state = 'labeled') AS labeled,
                   count(*) FILTER (WHERE state = 'excluded') AS excluded,
                   count(*) FILTER (WHERE state = 'reserved') AS reserved
            FROM old_rows GROUP BY campaign_id
        ) gone
        WHERE c.campaign_id = gone.campaign_id
          AND c.slot = (SELECT min(m.slot) FROM pools_counter m WHERE m.campaign_id = c.campaign_id);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER pools_image_inserted AFTER INSERT ON pools_image
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pools_count_images();
CREATE TRIGGER pools_image_updated AFTER UPDATE ON pools_image
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pools_count_images();
CREATE TRIGGER pools_image_deleted AFTER DELETE ON pools_image
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION pools_count_images();

CREATE FUNCTION pools_count_answers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pools_counter AS c (campaign_id, slot, answers)
    SELECT campaign_id, pg_backend_pid() % 16, count(*) FROM new_rows GROUP BY campaign_id
    ON CONFLICT (campaign_id, slot) DO UPDATE SET answers = c.answers + excluded.answers;
    RETURN NULL;
END $$;

CREATE TRIGGER pools_label_inserted AFTER INSERT ON pools_label
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pools_count_answers();
"""

REMOVE = """
DROP TRIGGER pools_image_inserted ON pools_image;
DROP TRIGGER pools_image_updated ON pools_image;
DROP TRIGGER pools_image_deleted ON pools_image;
DROP TRIGGER pools_label_inserted ON pools_label;
DROP FUNCTION pools_count_images();
DROP FUNCTION pools_count_answers();
"""


class Migration(migrations.Migration):
    dependencies = [("pools", "0001_initial")]
    operations = [migrations.RunSQL(COUNT_IMAGES, REMOVE)]
