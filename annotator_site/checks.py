"""System checks of an installation: promises that rest on somebody else's configuration."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

# An acknowledged label is on disk only while these are on.
DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


@register(Tags.database)
def check_durability(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Refuses a PostgreSQL that may lose labels it has acknowledged (run by `migrate` and `up`)."""
    errors: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT name FROM pg_settings"
                " WHERE name = ANY(%s) AND setting = 'off' ORDER BY name",
                [list(DURABILITY)],
            )
            for (name,) in cursor.fetchall():
                errors.append(
                    Error(
                        f"PostgreSQL runs with {name} switched off, so that labels which people "
                        "were told are saved could be lost.",
                        hint=f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();",
                        id="nowait.E001",
                    )
                )
    return errors


@register(Tags.database)
def check_privileges(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Warns of a role that could run programs on the database's machine."""
    warnings: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = current_user AND rolsuper")
            for (role,) in cursor.fetchall():
                warnings.append(
                    checks.Warning(
                        f"The site connects to PostgreSQL as the superuser {role}, who can run "
                        "programs on that machine.",
                        hint="Let an ordinary role own the database, and name that in "
                        "DATABASE_URL; a bundled server that an earlier version made: "
                        "docs/operators.md, section 'The role of the site'.",
                        id="nowait.W001",
                    )
                )
    return warnings
