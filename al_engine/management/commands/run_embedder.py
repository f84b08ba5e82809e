"""`run_embedder [SLUG …]`: embed the images of campaigns for all processes of a machine."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from al_engine.pools.lookup import UnknownCampaignError, campaign_of, unfinished
from al_engine.roles.life import Ending


class Command(BaseCommand):
    help = (
        "Embeds the images of campaigns with a frozen backbone, once per machine, until told to "
        "stop; without a slug those of all campaigns."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slugs", nargs="*", metavar="slug")
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")

    def handle(self, *args: Any, **options: Any) -> None:
        slugs = options["slugs"]
        try:
            for slug in slugs:
                campaign_of(slug)
        except UnknownCampaignError as error:
            raise CommandError(str(error)) from error
        with Ending() as ending:
            # Torch takes seconds to load.
            from al_engine.roles.embedders import embed

            try:
                embed(
                    campaigns=lambda: unfinished(slugs),
                    device_name=options["device"],
                    ending=ending,
                )
            except ValueError as error:
                raise CommandError(str(error)) from error
