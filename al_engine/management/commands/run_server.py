"""`run_server SLUG`: run one of the paper's servers."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from al_engine.pools.lookup import UnknownCampaignError, campaign_of
from al_engine.roles.life import Ending

NAMES = {"selection": "server", "delivery": "delivery"}


class Command(BaseCommand):
    help = "Trains models on the labels of a campaign and publishes them, until told to stop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
        parser.add_argument("--architecture", help="else its share of the campaign's")
        parser.add_argument(
            "--role",
            choices=("selection", "delivery"),
            default="selection",
            help="whether workers select with its models, or they are for delivery alone",
        )
        parser.add_argument("--index", type=int, default=0, help="which server this is, from 0")
        parser.add_argument("--servers", type=int, default=1, help="how many there are")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = campaign_of(options["slug"])
        except UnknownCampaignError as error:
            raise CommandError(str(error)) from error
        index, servers = options["index"], options["servers"]
        if not 0 <= index < servers:
            raise CommandError("--index is from 0 to one less than --servers.")
        with Ending() as ending:
            # Torch takes seconds to load.
            from al_engine import architectures
            from al_engine.roles.serving import serve

            name = options["architecture"]
            try:
                if name is not None:
                    architectures.check_name(name)
                serve(
                    campaign=campaign,
                    name=f"{NAMES[options['role']]}-{index + 1}",
                    role=options["role"],
                    device_name=options["device"],
                    architecture=name,
                    index=index,
                    servers=servers,
                    ending=ending,
                )
            except ValueError as error:
                raise CommandError(str(error)) from error
