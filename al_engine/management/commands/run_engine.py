"""`run_engine [SLUG …]`: run the servers and workers of campaigns, and keep them alive."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from al_engine.pools.lookup import UnknownCampaignError, campaign_of
from al_engine.roles.engine import EngineOptions
from al_engine.roles.machine import run_engine


class Command(BaseCommand):
    help = (
        "Runs the servers and workers of campaigns, without a slug of all that are not finished; "
        "what dies is started again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="slug")
        parser.add_argument("--servers", type=int, help="else each campaign's setting")
        parser.add_argument("--workers", type=int, help="else each campaign's setting")
        parser.add_argument(
            "--worker-processes",
            type=int,
            help="processes that share the workers out; else one a GPU, or two from four cores on",
        )
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, mps")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for slug in options["slugs"]:
                campaign_of(slug)
        except UnknownCampaignError as error:
            raise CommandError(str(error)) from error
        servers, workers = options["servers"], options["workers"]
        processes = options["worker_processes"]
        if (servers is not None and servers < 0) or (workers is not None and workers < 0):
            raise CommandError("--servers and --workers are 0 or more.")
        if processes is not None and processes < 1:
            raise CommandError("--worker-processes is 1 or more.")
        try:
            run_engine(
                options["slugs"],
                EngineOptions(
                    servers=servers,
                    workers=workers,
                    worker_processes=processes,
                    device=options["device"],
                ),
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
