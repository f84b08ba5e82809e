"""Exports the labels of a campaign."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from annotator_site.command_output import CampaignCommand
from annotator_site.research.rows import COLUMNS, reading_rows
from annotator_site.research.writing import FORMATS, Out, whole_file


class Command(CampaignCommand):
    help = "Export labels as CSV or JSON Lines. The same state of a campaign gives the same bytes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--format", required=True, metavar="|".join(FORMATS))
        parser.add_argument("--output", required=True, metavar="PATH", help="a file, - for stdout")
        parser.add_argument(
            "--rows",
            choices=sorted(COLUMNS),
            default="consensus",
            help="consensus: one row an image (the default); labels: every answer",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["format"] not in FORMATS:
            raise CommandError(
                f"--format {options['format']} is not supported: take {' or '.join(FORMATS)}."
            )
        campaign = self.campaign(options)
        if options["output"] == "-":
            if options["json"]:
                raise CommandError("--json needs a file for --output: stdout has the export.")
            self._to_stdout(campaign.pk, options)
            return
        path = Path(options["output"])
        if path.is_dir():
            raise CommandError(f"--output {path} is a folder: name a file.")
        try:
            with whole_file(path) as file:
                count = _export(file, campaign.pk, options)
        except OSError as error:
            raise CommandError(
                f"--output {path} cannot be written ({error.strerror}): is the folder there, is "
                "there room, may you write there?"
            ) from error
        self.say(f"{count:,} rows in {path}.")
        result = {"rows": count, "output": str(path), "format": options["format"]}
        self.conclude(options, result)

    def _to_stdout(self, campaign_id: int, options: dict[str, Any]) -> None:
        try:
            count = _export(self.stdout, campaign_id, options)
            self.stdout.flush()
        except BrokenPipeError:
            # Whoever read has had enough (`| head`). What is left in the buffer has no reader.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        self.say(f"{count:,} rows.")


def _export(out: Out, campaign_id: int, options: dict[str, Any]) -> int:
    rows = options["rows"]
    with reading_rows(campaign_id=campaign_id, rows=rows) as read:
        return FORMATS[options["format"]](out, COLUMNS[rows], read)
