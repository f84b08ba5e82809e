"""Output shared by the commands: text for people on stderr, values for programs on stdout."""

import json
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from al_engine.pools.lookup import UnknownCampaignError, campaign_of
from al_engine.pools.models import Campaign

_EVERY_SECONDS: Final = 1.0


class CampaignCommand(BaseCommand):
    """A command about one campaign, named by its slug."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", metavar="SLUG", help="the campaign")
        parser.add_argument(
            "--json", action="store_true", help="the result as one JSON object on stdout"
        )

    def campaign(self, options: Mapping[str, Any]) -> Campaign:
        """The campaign of the option `slug`. Raises CommandError."""
        try:
            return campaign_of(options["slug"])
        except UnknownCampaignError as error:
            raise CommandError(str(error)) from error

    def say(self, text: str) -> None:
        """Write a line for people to stderr."""
        # Django colors stderr red, which is for errors.
        self.stderr.write(text, style_func=str)

    def conclude(self, options: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """With --json, write the result for programs as the last line of stdout."""
        if options["json"]:
            self.stdout.write(json.dumps(result))


class ProgressLine:
    """A progress line, written about once a second; on a terminal it replaces the previous line."""

    def __init__(self, stream: OutputWrapper) -> None:
        self.stream = stream
        self.in_place = stream.isatty()
        self.due = time.monotonic() + _EVERY_SECONDS
        self.written = False

    def show(self, text: str) -> None:
        """Write the text, unless the last text was written less than a second ago."""
        now = time.monotonic()
        if now < self.due:
            return
        self.due = now + _EVERY_SECONDS
        self.written = True
        if self.in_place:
            self.stream.write(f"\r\x1b[K{text}", style_func=str, ending="")
        else:
            self.stream.write(text, style_func=str)
        self.stream.flush()

    def end(self) -> None:
        """Clear the line on a terminal, so that the next output starts on an empty line."""
        if self.in_place and self.written:
            self.stream.write("\r\x1b[K", style_func=str, ending="")
