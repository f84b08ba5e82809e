"""A slot of the counters that no other transaction has: writers never wait for one another.

A backend's process id alone gave two of them one slot now and then, and people's answers waited
for as long as a transaction of the engine took.
"""

from django.db import migrations

SLOT = """
-- The first slot from this backend's own on that no other transaction under way writes to; it is
-- this transaction's until its end. Where all are taken, its own: then it waits.
CREATE FUNCTION pools_counter_slot(campaign bigint) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    own integer := pg_backend_pid() % 16;
BEGIN
    FOR step IN 0..15 LOOP
        IF pg_try_advisory_xact_lock((campaign % 2147483647)::integer, (own + step) % 16) THEN
            RETURN (own + step) % 16;
        END IF;
    END LOOP;
    RETURN own;
END $$;
"""

ADD = """
    INSERT INTO pools_counter AS c (campaign_id, slot, unlabeled, queried, labeled, excluded, reserved)
    SELECT campaign_id, pools_counter_slot(campaign_id),
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

COUNT = f"""
CREATE OR REPLACE FUNCTION pools_count_images() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE OR REPLACE FUNCTION pools_count_answers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pools_counter AS c (campaign_id, slot, answers)
    SELECT campaign_id, pools_counter_slot(campaign_id), count(*) FROM new_rows GROUP BY campaign_id
    ON CONFLICT (campaign_id, slot) DO UPDATE SET answers = c.answers + excluded.answers;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("pools", "0005_choices_version")]
    # Back to the former slots there is nothing to do: what was counted is right in any of them.
    operations = [migrations.RunSQL(SLOT + COUNT, migrations.RunSQL.noop)]
