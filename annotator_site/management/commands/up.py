"""`manage.py up`: everything on one machine."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from annotator_site.argument_types import address, count, none_or_more, port
from annotator_site.running import ASGI_SERVERS, SiteOptions, run_site


def add_site_arguments(parser: CommandParser) -> None:
    """Add the options of `up`, which `demo` shares."""
    parser.add_argument("--port", type=port, default=8000, help="where the web listens (8000)")
    parser.add_argument(
        "--bind",
        type=address,
        metavar="ADDRESS",
        help="the address of this machine on which the web listens (127.0.0.1 without "
        "ALLOWED_HOSTS and behind a proxy, else 0.0.0.0: every network)",
    )
    parser.add_argument("--web", type=count, default=1, metavar="N", help="web processes (1)")
    parser.add_argument("--asgi-server", choices=ASGI_SERVERS, default="daphne", help="(daphne)")
    parser.add_argument(
        "--servers",
        type=none_or_more,
        metavar="M",
        help="models that train (the campaign's setting); 0: none on this machine",
    )
    parser.add_argument(
        "--workers",
        type=none_or_more,
        metavar="K",
        help="selecting workers (the campaign's setting); 0: none on this machine",
    )


def site_options(options: dict[str, Any]) -> SiteOptions:
    """The parsed options of `add_site_arguments`."""
    return SiteOptions(
        port=options["port"],
        bind=options["bind"],
        web=options["web"],
        asgi_server=options["asgi_server"],
        servers=options["servers"],
        workers=options["workers"],
    )


class Command(BaseCommand):
    """Runs database, migrations, web, and an engine for every campaign that is not finished."""

    help = (
        "Runs everything on this machine: database, migrations, web, and an engine for every "
        "campaign that is not finished. Ctrl-C or SIGTERM stops it; killed at any moment, the "
        "next `up` carries on."
    )
    requires_system_checks: list[str] = []  # `migrate` runs all checks, the database's included

    def add_arguments(self, parser: CommandParser) -> None:
        add_site_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        run_site(site_options(options))
