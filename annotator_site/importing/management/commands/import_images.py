"""Imports images into a campaign."""

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError

from al_engine.pools.images import AddingElsewhereError
from al_engine.pools.models import Image
from al_engine.pools.storage import StorageAway
from annotator_site.command_output import CampaignCommand, ProgressLine
from annotator_site.importing.entries import SourceError
from annotator_site.importing.image_import import Progress, import_images
from annotator_site.importing.report import ImportReport
from annotator_site.importing.same_pictures import HOW_TO_DECIDE

LINES_SHOWN: Final = 50


class Command(CampaignCommand):
    help = (
        "Import the JPEG, PNG and WebP images of a folder, zip or tar. It can be stopped at any "
        "time and run again: what is there already is recognized."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("path", metavar="PATH", type=Path, help="a folder, zip or tar")
        parser.add_argument(
            "--split",
            choices=Image.Split.values,
            default=Image.Split.POOL,
            help="pool: to be labeled (the default); holdout: to measure models; gold: "
            "examples and practice for annotators",
        )
        parser.add_argument(
            "--known-labels",
            metavar="folder|none|CSV",
            help="labels known beforehand: from the names of the folders, or from a CSV with the "
            "columns path,label, which also corrects earlier ones; default: folder, if every "
            "folder is a class of the campaign",
        )
        parser.add_argument(
            "--name-encoding",
            metavar="NAME",
            help="how file names are stored that do not say it, for example cp866; default: UTF-8, "
            "else cp437 in a zip",
        )
        parser.add_argument(
            "--restore",
            action="store_true",
            help="all stored files of this campaign are lost for good: store them anew",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = self.campaign(options)
        line = ProgressLine(self.stderr)
        try:
            report = import_images(
                campaign=campaign,
                source=options["path"],
                split=options["split"],
                known=options["known_labels"],
                name_encoding=options["name_encoding"],
                restore=options["restore"],
                progress=lambda progress: line.show(_progress(progress)),
                tell=self.say,
            )
        except SourceError as error:
            raise CommandError(str(error)) from error
        except AddingElsewhereError as error:
            raise CommandError(
                f"Another import into {campaign.slug} is running: wait for its end."
            ) from error
        except StorageAway as error:
            raise CommandError(
                f"{error} Bring the storage back and run the import again. If the files of this "
                "campaign are lost for good, --restore stores them anew."
            ) from error
        except OSError as error:
            raise CommandError(
                f"The import stopped ({error}). Mend that and run it again: it goes on from there."
            ) from error
        finally:
            line.end()
        self._tell(report, options["split"])
        if not report.added and not report.duplicates:
            raise CommandError(f"{options['path']} has no usable image: {_why(report)}.")
        self.conclude(options, asdict(report))

    def _tell(self, report: ImportReport, split: str) -> None:
        for name, reason in report.broken[:LINES_SHOWN]:
            self.say(f"  {name}: {reason}")
        if report.broken_count > LINES_SHOWN:
            self.say(f"  … and {report.broken_count - LINES_SHOWN:,} more that cannot be used")
        for name, kept in report.copies[:LINES_SHOWN]:
            self.say(f"  {name}: left out, the same picture as {kept}")
        if report.copies_count > LINES_SHOWN:
            self.say(f"  … and {report.copies_count - LINES_SHOWN:,} more copies left out")
        for note in report.name_notes:
            self.say(f"  {note}")
        for problem in report.label_problems[:LINES_SHOWN]:
            self.say(f"  {problem}")
        if len(report.label_problems) > LINES_SHOWN:
            self.say(f"  … and {len(report.label_problems) - LINES_SHOWN:,} more")
        self.say(
            f"{report.added:,} images added, {report.with_known_label:,} known labels, "
            f"{report.duplicates:,} duplicates, {report.broken_count:,} broken, "
            f"{report.ignored:,} ignored, in {report.seconds:,.1f} s."
        )
        if report.labels_changed:
            self.say(f"{report.labels_changed:,} known labels changed, as the table says.")
        if report.disputed:
            self.say(
                f"{report.disputed:,} pictures were given two classes and have no known label: "
                f"{HOW_TO_DECIDE}."
            )
        if report.in_other_split:
            self.say(
                f"{report.in_other_split:,} of the duplicates belong to another split than "
                f"{split} already, and stay there."
            )
        if split != Image.Split.POOL and report.with_known_label < report.added:
            self.say(
                f"{split.capitalize()} images without a known label are of no use: import them "
                "again with --known-labels."
            )


def _progress(progress: Progress) -> str:
    rate = progress.done / progress.seconds if progress.seconds else 0.0
    left = (progress.total - progress.done) / rate if rate else 0.0
    return (
        f"{progress.done:,} of {progress.total:,} files, {rate:,.0f} a second, "
        f"{_duration(left)} left"
    )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _why(report: ImportReport) -> str:
    if not report.broken_count:
        return "there is no file in it"
    name, reason = report.broken[0]
    return f"{report.broken_count:,} files cannot be used, the first is {name} ({reason})"
