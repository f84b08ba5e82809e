"""The number of a campaign's list of classes, and the news of what changes in a campaign.

Kept and told by the database itself, so that both are right whoever writes: the admin, a command,
a shell. Statement-level triggers with transition tables, as for the counters.
"""

from django.db import migrations, models

TRIGGERS = """
CREATE FUNCTION pools_choices_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE pools_campaign SET choices_version = choices_version + 1
        WHERE id IN (SELECT campaign_id FROM new_rows);
    ELSIF TG_OP = 'DELETE' THEN
        UPDATE pools_campaign SET choices_version = choices_version + 1
        WHERE id IN (SELECT campaign_id FROM old_rows);
    ELSE
        -- What is written as it was is no change.
        UPDATE pools_campaign SET choices_version = choices_version + 1
        WHERE id IN (SELECT campaign_id FROM (TABLE old_rows EXCEPT TABLE new_rows) gone
                     UNION
                     SELECT campaign_id FROM (TABLE new_rows EXCEPT TABLE old_rows) came);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER pools_choice_inserted AFTER INSERT ON pools_choice
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pools_choices_changed();
CREATE TRIGGER pools_choice_updated AFTER UPDATE ON pools_choice
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION pools_choices_changed();
CREATE TRIGGER pools_choice_deleted AFTER DELETE ON pools_choice
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION pools_choices_changed();

-- Whoever saves a campaign that they read a while ago writes the number as it was then: one number
-- would stand for two lists.
CREATE FUNCTION pools_keep_choices_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.choices_version := OLD.choices_version;
    RETURN NEW;
END $$;

CREATE TRIGGER pools_campaign_choices_version BEFORE UPDATE ON pools_campaign
    FOR EACH ROW WHEN (NEW.choices_version < OLD.choices_version)
    EXECUTE FUNCTION pools_keep_choices_version();

CREATE FUNCTION pools_tell_campaign() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('nowait', 'campaign:' || OLD.id);
    RETURN NULL;
END $$;

CREATE TRIGGER pools_campaign_changed AFTER UPDATE ON pools_campaign
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION pools_tell_campaign();
CREATE TRIGGER pools_campaign_deleted AFTER DELETE ON pools_campaign
    FOR EACH ROW EXECUTE FUNCTION pools_tell_campaign();
"""

REMOVE = """
DROP TRIGGER pools_campaign_deleted ON pools_campaign;
DROP TRIGGER pools_campaign_changed ON pools_campaign;
DROP TRIGGER pools_campaign_choices_version ON pools_campaign;
DROP TRIGGER pools_choice_deleted ON pools_choice;
DROP TRIGGER pools_choice_updated ON pools_choice;
DROP TRIGGER pools_choice_inserted ON pools_choice;
DROP FUNCTION pools_tell_campaign();
DROP FUNCTION pools_keep_choices_version();
DROP FUNCTION pools_choices_changed();
"""


class Migration(migrations.Migration):
    dependencies = [("pools", "0004_storage_failures")]
    operations = [
        migrations.AddField(
            model_name="campaign",
            name="choices_version",
            field=models.PositiveIntegerField(
                default=1,
                editable=False,
                help_text="Counts the changes of its list of classes; kept by the database itself.",
            ),
        ),
        migrations.RunSQL(TRIGGERS, REMOVE),
    ]
