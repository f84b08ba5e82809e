"""`run_worker SLUG`: run a process that hosts one or more of the paper's workers."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from al_engine.management.commands.look import CANNOT_LOOK
from al_engine.pools import processes, unlabeled
from al_engine.pools.lookup import UnknownCampaignError, campaign_of
from al_engine.pools.signals import listening
from al_engine.roles.crew import Crew
from al_engine.roles.engine import GIVING_WAY_NICE
from al_engine.roles.filler import Filler
from al_engine.roles.life import Ending, Heartbeat
from al_engine.supervision.child import Child
from al_engine.supervision.companion import Companion, CompanionFailed


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
        parser.add_argument(
            "--fill-only",
            action="store_true",
            help="fill S from former rankings and at random: nobody looks at the images",
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
                # Looking at D_j has a process of its own: it loads torch, and a pass takes long.
                with (
                    Heartbeat(crew.parts, also=crew.hold_cells),
                    _looking(crew, options) as looker,
                    listening(campaign.pk) as listener,
                ):
                    filler = ending.patiently(lambda: Filler(crew))

                    def step() -> None:
                        try:
                            if looker is not None:
                                looker.check()
                        except CompanionFailed as error:
                            why = processes.last_error(process_id=crew.ids[0])
                            raise CommandError(why) from error
                        filler.step(listener)

                    ending.repeat(step)
            finally:
                # Other workers can take the cells at once, not only when the leases run out.
                with suppress(DatabaseError):
                    for part in crew.parts:
                        unlabeled.release_cells(worker_id=part.id)


def _looking(crew: Crew, options: Mapping[str, Any]) -> AbstractContextManager[Companion | None]:
    """Whoever looks at D_j for these workers; nobody if S is only to be filled."""
    if options["fill_only"]:
        for part in crew.parts:
            processes.report(process_id=part.id, state="filling S, without a model for now")
        return nullcontext()
    return Companion(_looker(crew, options["device"]))


def _looker(crew: Crew, device: str) -> Child:
    ids = ",".join(str(part.id) for part in crew.parts)
    manage = Path(settings.BASE_DIR) / "manage.py"
    return Child(
        name="look",
        argv=[
            *(sys.executable, str(manage), "look", crew.campaign.slug),
            *(f"--workers={ids}", f"--device={device}"),
        ],
        nice=GIVING_WAY_NICE,
        # Killed after this time: it keeps nothing that another process needs.
        stop_timeout_s=1.0,
        fails_with=CANNOT_LOOK,
    )


def _split(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]
