"""System checks of an installation: the configuration on which the site's promises rest."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

# An acknowledged label is on disk only while all of these are on.
DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


@register(Tags.database)
def check_durability(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Refuses a PostgreSQL that may lose acknowledged labels (run by `migrate` and `up`)."""
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
    """Warns of a superuser role, which could run programs on the database's machine."""
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


@register(Tags.database)
def check_ways_to_other_machines(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Warns of an unprotected connection to a database or object storage on another machine."""
    warnings: list[CheckMessage] = []
    for alias in databases or ():
        given = connections[alias].settings_dict
        mode = given["OPTIONS"].get("sslmode", "prefer")
        if not _is_here(given["HOST"]) and mode != "verify-full":
            warnings.append(
                checks.Warning(
                    f"The database on {given['HOST']} is asked with sslmode={mode}: on the way to "
                    "it somebody could pass for it.",
                    hint="Add ?sslmode=verify-full&sslrootcert=/path/of/its/ca.pem to "
                    "DATABASE_URL, or put an encrypted network between and silence this.",
                    id="nowait.W002",
                )
            )
    endpoint = settings.STORAGES["default"].get("OPTIONS", {}).get("endpoint_url") or ""
    parts = urlsplit(endpoint)
    if databases and parts.scheme == "http" and not _is_here(parts.hostname or ""):
        warnings.append(
            checks.Warning(
                f"Images and weights go to {endpoint} without TLS.",
                hint="Give STORAGE_URL an endpoint that begins with https://.",
                id="nowait.W003",
            )
        )
    return warnings


def _is_here(host: str) -> bool:
    """Whether `host` is this machine: a socket's path, localhost or a loopback address."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
