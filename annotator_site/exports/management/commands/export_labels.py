"""Exports the labels of a campaign."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from al_engine.outputs import STDOUT, OutputError, ReaderGone, is_plain_file, open_output
from annotator_site.command_output import CampaignCommand
from annotator_site.exports.comma_separated import for_spreadsheets
from annotator_site.exports.formats import FORMATS
from annotator_site.exports.outputs import Out, Utf8
from annotator_site.exports.rows import COLUMNS, reading_rows


class Command(CampaignCommand):
    help = "Export labels as CSV or JSON Lines. The same state of a campaign gives the same bytes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--format", required=True, metavar="|".join(FORMATS))
        parser.add_argument(
            "--output",
            required=True,
            metavar="PATH",
            help="a file, pipe or device; - for stdout",
        )
        parser.add_argument(
            "--rows",
            choices=sorted(COLUMNS),
            default="consensus",
            help="consensus: one row an image (the default); labels: every answer",
        )
        parser.add_argument(
            "--for-spreadsheets",
            action="store_true",
            help="a CSV to open in a spreadsheet: marked as UTF-8, and an apostrophe before text "
            "that the spreadsheet would run as a formula",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        _check(options)
        campaign = self.campaign(options)
        target: str = options["output"]
        # `stdout` is set only if a program calls this command.
        if target == STDOUT and options.get("stdout"):
            count = _export(options["stdout"], campaign.pk, options)
        else:
            try:
                with open_output(target) as file:
                    count = _export(Utf8(file), campaign.pk, options)
            except ReaderGone as error:
                if target == STDOUT:
                    return  # The reader closed the pipe, as `| head` does.
                raise CommandError(str(error)) from error
            except OutputError as error:
                raise CommandError(str(error)) from error
        self.say(f"{count:,} rows." if target == STDOUT else f"{count:,} rows in {target}.")
        result = {"rows": count, "output": target, "format": options["format"]}
        self.conclude(options, result)


def _check(options: Mapping[str, Any]) -> None:
    """Raise CommandError for an unknown format or options that exclude each other."""
    format_ = options["format"]
    if format_ not in FORMATS:
        raise CommandError(f"--format {format_} is not supported: take {' or '.join(FORMATS)}.")
    if options["for_spreadsheets"] and format_ != "csv":
        raise CommandError("--for-spreadsheets is for --format csv: leave it out.")
    try:
        if options["json"] and not is_plain_file(options["output"]):
            raise CommandError("--json needs a file for --output: stdout has the export.")
    except OutputError as error:
        raise CommandError(str(error)) from error


def _export(out: Out, campaign_id: int, options: Mapping[str, Any]) -> int:
    rows = options["rows"]
    with reading_rows(campaign_id=campaign_id, rows=rows) as read:
        written = for_spreadsheets(out, read) if options["for_spreadsheets"] else read
        return FORMATS[options["format"]](out, COLUMNS[rows], written)
