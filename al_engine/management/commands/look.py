"""`look SLUG --workers IDS`: the half of `run_worker` that uses torch; started by `run_worker`."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from al_engine.pools import processes
from al_engine.pools.lookup import UnknownCampaignError, campaign_of
from al_engine.roles.crew import Crew
from al_engine.roles.life import Ending, telling

CANNOT_LOOK = 2
"""Exit status if the request cannot be met: no such strategy, or no such device."""


class Command(BaseCommand):
    help = "Ranks the images of the workers of one `run_worker`, which starts this by itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--workers", required=True, help="ids of their rows, like 3,4")
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = campaign_of(options["slug"])
            parts = processes.parts(ids=[int(each) for each in options["workers"].split(",")])
        except (UnknownCampaignError, ValueError) as error:
            raise CommandError(str(error)) from error
        with Ending(parent=os.getppid()) as ending, telling(parts):
            # Torch takes seconds to load.
            from al_engine.roles.worker import work

            try:
                work(Crew(campaign, parts), options["device"], ending)
            except ValueError as error:
                # `run_worker` reads and reports it.
                for part in parts:
                    processes.report(process_id=part.id, error=" ".join(str(error).split()))
                raise SystemExit(CANNOT_LOOK) from error
