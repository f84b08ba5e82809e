"""`manage.py demo`: everything on one machine, with a demo campaign to label."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from al_engine.pools.campaigns import BadSetting, parse_setting
from al_engine.pools.images import AddingElsewhereError
from al_engine.pools.models import Campaign
from al_engine.supervision.child import BECOME
from annotator_site.argument_types import count
from annotator_site.importing.entries import SourceError
from annotator_site.management.commands.run_annotators import add_manner_arguments
from annotator_site.management.commands.up import add_site_arguments, site_options
from annotator_site.running import RunningSite, prepare_database, run_site
from annotator_site.simulation import people
from annotator_site.simulation.demo_campaign import Login, ensure_campaign, ensure_logins
from annotator_site.simulation.demo_data import DATASETS, DataMissing

# Bots wait up to 5 s for acknowledgements (GRACE_S in crowd.py), then close their connections.
BOTS_STOP_TIMEOUT_S = 10.0


class Command(BaseCommand):
    """`up` with the demo campaign, its logins and, with --bots, simulated annotators."""

    help = (
        "Starts everything on this machine with a campaign to label: scikit-learn's handwritten "
        "digits. Ctrl-C stops it, the next demo carries on where it was, and --fresh begins with "
        "an empty label pool. With --bots, simulated annotators label; with --labels, too, the "
        "demo ends after so many labels and tells what they felt (exit status 0 only then)."
    )
    requires_system_checks: list[str] = []  # `migrate` runs all checks, the database's included

    def add_arguments(self, parser: CommandParser) -> None:
        add_site_arguments(parser)
        parser.add_argument("--bots", type=count, metavar="N", help="simulated annotators (none)")
        add_manner_arguments(parser)
        parser.add_argument(
            "--json", action="store_true", help="the bots' summary as JSON, alone on stdout"
        )
        parser.add_argument(
            "--fresh",
            action="store_true",
            help="a new campaign with the same images and no labels (digits-2, …); earlier demo "
            "campaigns of this data set are finished. Without it the newest one is carried on",
        )
        parser.add_argument(
            "--dataset", choices=sorted(DATASETS), default="digits", help="(digits)"
        )
        parser.add_argument(
            "--data",
            type=Path,
            metavar="PATH",
            help="the data set's file, instead of downloading it: an .npz with x_train, y_train, "
            "x_test and y_test for fashion_mnist; a tar of images with an index.csv (split, "
            "label, path) for cifar10",
        )
        parser.add_argument(
            "--images", type=count, metavar="N", help="images to import for labeling (all)"
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="a setting of the campaign, where one is made",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        labels = options["labels"]
        if not options["bots"] and (labels or options["json"]):
            raise CommandError("--labels and --json need annotators: add --bots 8, for example.")
        prepare_database()
        campaign, logins = self._prepare(options)
        bots = Bots(campaign.slug, options) if options["bots"] else None

        def welcome(site: RunningSite) -> None:
            self._tell_logins(site, campaign, logins)
            if bots is not None:
                bots.label(site)

        run_site(site_options(options), on_ready=welcome)
        if bots is not None:
            self._conclude(bots, options)

    def _prepare(self, options: dict[str, Any]) -> tuple[Campaign, list[Login]]:
        try:
            campaign = ensure_campaign(
                dataset=DATASETS[options["dataset"]],
                data=options["data"],
                images=options["images"],
                fresh=options["fresh"],
                own_settings=dict(parse_setting(text) for text in options["set"]),
                tell=self.stderr.write,
            )
            if options["labels"]:
                people.check_supply(campaign=campaign, labels=options["labels"])
        except (BadSetting, DataMissing, SourceError, people.NotEnoughImages) as error:
            raise CommandError(str(error)) from error
        except AddingElsewhereError as error:
            raise CommandError(
                "Another process imports the demo's images now: wait for its end."
            ) from error
        return campaign, ensure_logins(campaign=campaign, file=settings.VAR / "demo_logins.json")

    def _tell_logins(self, site: RunningSite, campaign: Campaign, logins: list[Login]) -> None:
        base = site.address.partition(" ")[0]
        lines = [f"Label at {base}c/{campaign.slug}/ and watch at {base}admin/"]
        lines += [
            f"  log in as {login.username:<9}  "
            + (f"password {login.password}" if login.password else "with the password you set")
            for login in logins
        ]
        if campaign.state != Campaign.State.RUNNING:
            lines.append(
                f"The campaign is {campaign.get_state_display()}: change that in the admin, or "
                "start with --fresh."
            )
        self.stderr.write("\n".join(lines), ending="\n\n")

    def _conclude(self, bots: "Bots", options: dict[str, Any]) -> None:
        if not bots.ended.wait(BOTS_STOP_TIMEOUT_S):
            raise CommandError("The simulated annotators did not end in time; they are killed.")
        if options["json"] and bots.summary:
            self.stdout.write(bots.summary)
        if bots.status != 0 and options["labels"]:
            raise CommandError(
                f"{options['labels']} labels were not reached; the reason stands above."
            )


class Bots:
    """The simulated annotators of a demo, run by `run_annotators` in a separate process."""

    def __init__(self, slug: str, options: dict[str, Any]) -> None:
        self.argv = [
            *(sys.executable, str(settings.BASE_DIR / "manage.py"), "run_annotators", slug),
            *("--json", f"--count={options['bots']}", f"--think={options['think']}"),
            f"--error-rate={options['error_rate']}",
        ]
        self.labels = options["labels"]
        if self.labels:
            self.argv.append(f"--labels={self.labels}")
        self.status: int | None = None
        self.summary = ""
        self.ended = threading.Event()
        self.ended.set()

    def label(self, site: RunningSite) -> None:
        """Run the bots until they end or the site stops. With --labels, then stop the site."""
        self.ended.clear()
        argv = [*self.argv, f"--url=ws://{site.host}:{site.port}"]
        # The bots end with this thread, even if the demo is killed. They have their own process
        # group, so Ctrl-C reaches the demo only.
        become = [sys.executable, "-I", "-S", "-c", BECOME, str(os.getpid()), "0"]
        try:
            with subprocess.Popen(
                [*become, *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                text=True,
                process_group=0,
            ) as process:
                told = threading.Thread(target=self._end_with, args=(site, process), daemon=True)
                told.start()
                self.summary = _last_line(process.stdout.read()) if process.stdout else ""
            self.status = process.returncode
        finally:
            self.ended.set()
            if self.labels:
                site.supervisor.stop()

    def _end_with(self, site: RunningSite, process: subprocess.Popen[str]) -> None:
        site.supervisor.stopping.wait()
        if not self.ended.is_set():
            process.terminate()


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]
