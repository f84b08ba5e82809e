#!/usr/bin/env python
"""Runs a management command; starts the bundled PostgreSQL for those that need a database."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from al_engine.standard_streams import standard_streams

# The only commands that do without a database; `check` asks it when told to by --database.
WITHOUT_DATABASE = {"help", "version", "check", "collectstatic", "findstatic", "diffsettings"}


def needs_database(arguments: Sequence[str]) -> bool:
    """Whether `manage.py` with these arguments will talk to PostgreSQL."""
    if not arguments or {"-h", "--help", "--version"} & set(arguments):
        return False
    if arguments[0] == "check":
        return any(argument.startswith("--database") for argument in arguments)
    return arguments[0] not in WITHOUT_DATABASE


def fail(message: str) -> NoReturn:
    """Ends the process with status 1 and one line on stderr."""
    print("nowait:", " ".join(message.split()), file=sys.stderr)
    raise SystemExit(1)


def end_on_sigterm(*_: object) -> NoReturn:
    """Makes SIGTERM an ordinary exit, so that what was begun is left in order."""
    raise SystemExit(128 + signal.SIGTERM)


def main() -> None:
    """Runs the command of the command line."""
    with standard_streams():
        run()


def run() -> None:
    """Runs the command; expected troubles end in one line, not a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator_site.settings")
    signal.signal(signal.SIGTERM, end_on_sigterm)
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
        from django.db.utils import OperationalError, ProgrammingError
    except ImportError as error:
        fail(f"{error}: run `make setup`, then use .venv/bin/python.")
    arguments = sys.argv[1:]
    try:
        if settings.USES_BUNDLED_POSTGRES and needs_database(arguments):
            from annotator_site import embedded_postgres
            from annotator_site.postgres_cluster import EmbeddedPostgresError

            try:
                embedded_postgres.use(settings.VAR)
            except EmbeddedPostgresError as error:
                fail(str(error))
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        fail(str(error))
    except OperationalError as error:
        if "--traceback" in arguments:
            raise
        remedy = (
            f"See {settings.VAR / 'logs' / 'postgres.log'}."
            if settings.USES_BUNDLED_POSTGRES
            else "Is the address in DATABASE_URL right and the server running?"
        )
        fail(f"PostgreSQL cannot be used: {error} {remedy}")
    except ProgrammingError as error:
        if "--traceback" in arguments or "does not exist" not in str(error):
            raise
        fail(f"The database is not up to date: {error} Run `manage.py migrate`.")
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None


if __name__ == "__main__":
    main()
