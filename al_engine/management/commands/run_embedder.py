"""`run_embedder SLUG`: embed the images of a campaign for the servers and workers of a machine."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from al_engine.decisions.architecture import backbone_of, is_published
from al_engine.pools.lookup import UnknownCampaignError, campaign_of
from al_engine.pools.models import Campaign
from al_engine.roles.engine import NOTHING_TO_EMBED
from al_engine.roles.life import Ending

_POLL_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Embeds a campaign's images by its frozen backbone, once per machine, until told to stop."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
        parser.add_argument("--architecture", help="else the campaign's")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = campaign_of(options["slug"])
        except UnknownCampaignError as error:
            raise CommandError(str(error)) from error
        with Ending() as ending:
            _wait_for_choice(campaign, ending)
            architecture = backbone_of(options["architecture"] or campaign.model_architecture)
            if not is_published(architecture):
                raise CommandError(
                    f"The backbone of {architecture} learns, so its embeddings change with every "
                    "training: there is nothing to embed once.",
                    returncode=NOTHING_TO_EMBED,
                )
            # Torch takes seconds to load.
            from al_engine.roles.embedder import embed

            try:
                embed(
                    campaign=campaign,
                    name="embedder-1",
                    architecture=architecture,
                    device_name=options["device"],
                    ending=ending,
                )
            except ValueError as error:
                raise CommandError(str(error)) from error


def _wait_for_choice(campaign: Campaign, ending: Ending) -> None:
    """Return once servers or workers have chosen architecture and image size by the images."""
    while not campaign.is_settled:
        ending.check()
        ending.sleep(_POLL_SECONDS)
        ending.patiently(campaign.refresh_from_db)
