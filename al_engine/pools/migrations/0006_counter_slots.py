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

COUNT = """
-- All else of what counts (migration 0002) stays as it is.
DO $$
DECLARE
    counting regproc;
BEGIN
    FOREACH counting IN ARRAY ARRAY['pools_count_images', 'pools_count_answers']::regproc[] LOOP
        EXECUTE replace(pg_get_functiondef(counting), 'pg_backend_pid() % 16',
                        'pools_counter_slot(campaign_id)');
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("pools", "0005_choices_version")]
    # Back to the former slots there is nothing to do: what was counted is right in any of them.
    operations = [migrations.RunSQL(SLOT + COUNT, migrations.RunSQL.noop)]
