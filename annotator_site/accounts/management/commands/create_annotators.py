"""Creates annotators in bulk."""

import json
import re
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import CommandError
from django.db import transaction

from al_engine.outputs import OutputError
from annotator_site.accounts.annotators import create_annotators
from annotator_site.accounts.models import TOKEN_DAYS
from annotator_site.command_output import CampaignCommand

MAX_COUNT: Final = 10_000
_MAX_DAYS: Final = 3_650


class Command(CampaignCommand):
    help = (
        "Make annotators of a campaign, for programs that label: a JSON line "
        '{"username", "token"} for each. Tokens are shown this once only.'
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--count", type=int, required=True, metavar="N", help="how many")
        parser.add_argument(
            "--prefix", default="annotator", help="how the user names begin (annotator-1, …)"
        )
        parser.add_argument(
            "--expires",
            default=str(TOKEN_DAYS),
            metavar="DAYS",
            help=f"when their tokens expire: in so many days ({TOKEN_DAYS}), or `never`",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = self.campaign(options)
        count, prefix = options["count"], options["prefix"]
        if not 1 <= count <= MAX_COUNT:
            raise CommandError(f"--count is {count}: it must be 1 to {MAX_COUNT:,}.")
        if not re.fullmatch(r"[\w.@+-]{1,100}", prefix):
            raise CommandError(
                f"--prefix “{prefix}” cannot begin a user name: use up to 100 letters, digits "
                "and @ . + - _."
            )
        days = _days(options["expires"])
        try:
            # Roll back if a token cannot be printed: its annotator would be useless.
            with transaction.atomic():
                made = create_annotators(
                    campaign_id=campaign.pk, count=count, prefix=prefix, days=days
                )
                for annotator in made:
                    self.stdout.write(json.dumps(asdict(annotator)))
                self.stdout.flush()
        except OutputError as error:
            raise CommandError(
                f"No annotators were made, because their tokens could not be told. {error}"
            ) from error
        self.say(f"{count:,} annotators of {campaign.slug}: {made[0].username} and following.")
        self.conclude(options, {"campaign": campaign.slug, "created": count})


def _days(text: str) -> int | None:
    if text == "never":
        return None
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_DAYS:
        return int(text)
    raise CommandError(f"--expires is {text}: it must be 1 to {_MAX_DAYS:,} days, or never.")
