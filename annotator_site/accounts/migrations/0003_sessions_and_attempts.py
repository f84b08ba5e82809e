from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import migrations
from django.utils import timezone

# The address of sessions that began before addresses were recorded.
NOWHERE = "0.0.0.0"  # noqa: S104 - no address is bound


def list_sessions(apps, schema_editor):
    """List existing sessions too, so that people can see and end them."""
    session = apps.get_model("sessions", "Session")
    listed = apps.get_model("usersessions", "UserSession")
    people = set(apps.get_model("accounts", "User").objects.values_list("pk", flat=True))
    rows = []
    for key, data in (
        session.objects.filter(expire_date__gt=timezone.now())
        .values_list("session_key", "session_data")
        .iterator()
    ):
        user = SessionStore().decode(data).get(SESSION_KEY, "")
        if user.isdigit() and int(user) in people:
            rows.append(listed(user_id=int(user), session_key=key, ip=NOWHERE, user_agent=""))
    listed.objects.bulk_create(rows, batch_size=1000, ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_token_scopes"),
        ("sessions", "0001_initial"),
        ("usersessions", "0001_initial"),
    ]

    operations = [
        # Table of Django's database cache: web processes share the count of a user's wrong codes,
        # and accept a right code once.
        migrations.RunSQL(
            "CREATE TABLE IF NOT EXISTS accounts_attempt (cache_key varchar(255) PRIMARY KEY, "
            "value text NOT NULL, expires timestamptz NOT NULL);"
            "CREATE INDEX IF NOT EXISTS accounts_attempt_expires ON accounts_attempt (expires)",
            "DROP TABLE accounts_attempt",
        ),
        migrations.RunPython(list_sessions, migrations.RunPython.noop),
    ]
