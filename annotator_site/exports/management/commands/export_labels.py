"""Exports the labels of a campaign."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from django.core.management.base import CommandError

from al_engine.outputs import STDOUT, OutputError, ReaderGone, is_plain_file, open_output
from annotator_site.command_output import CampaignCommand
from annotator_site.exports.filters import Filters
from annotator_site.exports.formats import FORMATS, FileFormat, TreeFormat, spreadsheet_csv
from annotator_site.exports.rows import COLUMNS
from annotator_site.exports.source import ImagesAway, Source
from annotator_site.exports.trees import folder_tree, zip_tree

_NAMES_SHOWN = 5


class Command(CampaignCommand):
    help = "Export labels. The same state of a campaign gives the same bytes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--format", required=True, metavar="|".join(FORMATS))
        parser.add_argument(
            "--output",
            required=True,
            metavar="PATH",
            help="a file, pipe or device; a new folder or a .zip file for formats of several "
            "files; - for stdout",
        )
        parser.add_argument(
            "--rows",
            choices=sorted(COLUMNS),
            default="consensus",
            help="consensus: one row an image (the default); labels: every answer; both: every "
            "answer with the consensus on its image",
        )
        parser.add_argument(
            "--for-spreadsheets",
            action="store_true",
            help="a CSV to open in a spreadsheet: marked as UTF-8, and an apostrophe before text "
            "that the spreadsheet would run as a formula",
        )
        parser.add_argument(
            "--images-at",
            default="",
            metavar="PREFIX",
            help="for label_studio: goes before the names of images to make their addresses",
        )
        _add_filters(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        _check(options)
        campaign = self.campaign(options)
        source = Source(campaign, options["rows"], _filters(options), options["images_at"])
        target: str = options["output"]
        missed: list[str] = []
        try:
            count = _export(source, options, missed)
        except ReaderGone as error:
            if target == STDOUT:
                return  # The reader closed the pipe, as `| head` does.
            raise CommandError(str(error)) from error
        except OutputError as error:
            raise CommandError(str(error)) from error
        except ImagesAway as error:
            raise CommandError(
                f"The images cannot be read now: {error} Try again later."
            ) from error
        self.say(f"{count:,} rows." if target == STDOUT else f"{count:,} rows in {target}.")
        if missed:
            more = f" and {len(missed) - _NAMES_SHOWN:,} more" if len(missed) > _NAMES_SHOWN else ""
            self.say(
                f"{len(missed):,} images are left out, because their files are gone from the "
                f"storage: {', '.join(missed[:_NAMES_SHOWN])}{more}. Importing them again puts "
                "them back."
            )
        result = {"rows": count, "output": target, "format": options["format"]}
        if isinstance(FORMATS[options["format"]], TreeFormat):
            result["images_left_out"] = len(missed)
        self.conclude(options, result)


def _add_filters(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("filters", "only rows that fulfil all of these")
    add = group.add_argument
    add("--least-confidence", type=_share, metavar="0..1", help="of the consensus on the image")
    add("--since", type=_time, metavar="TIME", help="answered or decided then or later, ISO 8601")
    add("--class", dest="choice", default="", metavar="NAME", help="of this class")
    add("--annotator", default="", metavar="PSEUDONYM", help="of this person's answers")
    add("--purpose", default="", choices=["", "active", "audit", "gold"], help="of the query")
    add("--model-version", type=int, metavar="N", help="chosen by this version of the model")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is no number from 0 to 1")
    return value


def _time(text: str) -> datetime:
    """A time; without a zone it is in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(
            f"{text!r} is no time like 2026-03-01 or 2026-03-01T12:00Z"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _filters(options: Mapping[str, Any]) -> Filters:
    return Filters(
        least_confidence=options["least_confidence"],
        since=options["since"],
        choice=options["choice"],
        annotator=options["annotator"],
        purpose=options["purpose"],
        model_version=options["model_version"],
    )


def _check(options: Mapping[str, Any]) -> None:
    """Raise CommandError for an unknown format or options that exclude each other."""
    name, target = options["format"], options["output"]
    if name not in FORMATS:
        known = list(FORMATS)
        raise CommandError(
            f"--format {name} is not supported: take {', '.join(known[:-1])} or {known[-1]}."
        )
    chosen = FORMATS[name]
    if options["for_spreadsheets"] and name != "csv":
        raise CommandError("--for-spreadsheets is for --format csv: leave it out.")
    if options["images_at"] and name != "label_studio":
        raise CommandError("--images-at is for --format label_studio: leave it out.")
    if options["rows"] not in chosen.rows:
        raise CommandError(
            f"--format {name} has no rows of the kind {options['rows']}: take --rows "
            f"{' or '.join(chosen.rows)}."
        )
    if options["json"] and target == STDOUT:
        raise CommandError("--json needs a file for --output: stdout has the export.")
    try:
        if options["json"] and isinstance(chosen, FileFormat) and not is_plain_file(target):
            raise CommandError("--json needs a file for --output: stdout has the export.")
    except OutputError as error:
        raise CommandError(str(error)) from error


def _export(source: Source, options: Mapping[str, Any], missed: list[str]) -> int:
    target, chosen = options["output"], FORMATS[options["format"]]
    if isinstance(chosen, TreeFormat):
        return _export_tree(chosen, source, target, missed)
    if options["for_spreadsheets"]:
        chosen = FileFormat(spreadsheet_csv)
    # `stdout` is set only if a program calls this command.
    if target == STDOUT and options.get("stdout") and chosen.is_text:
        return chosen.write(cast("BinaryIO", _AsText(options["stdout"])), source)
    with open_output(target) as file:
        return chosen.write(file, source)


def _export_tree(chosen: TreeFormat, source: Source, target: str, missed: list[str]) -> int:
    if target == STDOUT or target.endswith(".zip") or _is_pipe_or_device(Path(target)):
        with open_output(target) as file, zip_tree(file) as tree:
            return chosen.write(tree, source, missed.append)
    with folder_tree(target) as folder:
        return chosen.write(folder, source, missed.append)


def _is_pipe_or_device(place: Path) -> bool:
    return place.exists() and not (place.is_dir() or place.is_file())


class _AsText:
    """A text output to which whole lines of UTF-8 are written."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, line: bytes) -> int:
        """Write a line."""
        self._out.write(line.decode())
        return len(line)
