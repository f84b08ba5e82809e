"""`run_worker SLUG`: a process that hosts one or more of the paper's workers."""

from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from al_engine.pools import processes, unlabeled
from al_engine.pools.lookup import UnknownCampaignError, campaign_of
from al_engine.roles.crew import ColdStart, Crew
from al_engine.roles.life import Ending, Heartbeat


class Command(BaseCommand):
    help = "Scores unlabeled images with the newest model and keeps S filled, until told to stop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
        parser.add_argument(
            "--strategies",
            help="a,b,…: one worker each; else the campaign's",
        )
        parser.add_argument(
            "--first", type=int, default=1, help="the first worker is called worker-FIRST"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = campaign_of(options["slug"])
        except UnknownCampaignError as error:
            raise CommandError(str(error)) from error
        given = options["strategies"]
        names = campaign.strategies if given is None else _split(given)
        if not names:
            raise CommandError("--strategies names none: write it like entropy,margin.")
        if options["first"] < 1:
            raise CommandError("--first is 1 or more.")
        with Ending() as ending:
            crew = Crew(
                campaign,
                [
                    processes.register(
                        campaign_id=campaign.pk,
                        role="worker",
                        name=f"worker-{options['first'] + place}",
                        strategy=name,
                    )
                    for place, name in enumerate(names)
                ],
            )
            crew.hold_cells()
            try:
                with Heartbeat(crew.parts, also=crew.hold_cells):
                    with ColdStart(crew):
                        # Torch takes seconds to load; people label random images meanwhile.
                        from al_engine.roles.threads import use_threads
                        from al_engine.roles.worker import work
                    use_threads()
                    work(crew, options["device"], ending)
            except ValueError as error:
                raise CommandError(str(error)) from error
            finally:
                # So that the others take the cells at once, not when the leases run out.
                with suppress(DatabaseError):
                    for part in crew.parts:
                        unlabeled.release_cells(worker_id=part.id)


def _split(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]
