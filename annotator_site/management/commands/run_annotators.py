"""`manage.py run_annotators`: simulated annotators that label over the WebSocket."""

import argparse
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from al_engine.pools.models import Campaign
from annotator_site.argument_types import amount, count, probability
from annotator_site.labeling.protocol import MAX_BUFFER
from annotator_site.simulation import people
from annotator_site.simulation.crew import Identity, Manner
from annotator_site.simulation.crowd import Outcome, run_crowd
from annotator_site.simulation.summary import summarize

# Factor by which bots stay below a campaign's message rate, because clocks may differ.
PACE_MARGIN = 1.1
ENDINGS = {
    "enough": "the run was over",
    "time": "time was up",
    "stopped": "the run was stopped",
    "finished": "the campaign had nothing left to label",
}
# Open files of a process besides its connections.
OTHER_FILES = 100


def buffer_size(text: str) -> int:
    """A buffer size that the protocol allows, for argparse."""
    number = count(text)
    if number > MAX_BUFFER:
        raise argparse.ArgumentTypeError(f"{text} is too many: at most {MAX_BUFFER}")
    return number


def add_manner_arguments(parser: CommandParser) -> None:
    """Add the options for how simulated annotators label, which `demo` shares."""
    parser.add_argument(
        "--labels", type=count, metavar="M", help="end after M acknowledged labels in all"
    )
    parser.add_argument(
        "--think",
        type=amount,
        default=0.25,
        metavar="SECONDS",
        help="mean time of thought, exponentially distributed; 0: answer at once, as fast as the "
        "campaign's messages_per_second allows (0.25)",
    )
    parser.add_argument(
        "--error-rate",
        type=probability,
        default=0.0,
        metavar="P",
        help="share of answers that are another class, at random (0)",
    )


class Command(BaseCommand):
    """N clients of the labeling WebSocket that answer with the known labels."""

    help = (
        "Simulated annotators (bot-0001, bot-0002 …) label over the real WebSocket with the "
        "images' known labels; images without one they skip. Ends after --labels, after "
        "--seconds, when all is labeled, or by Ctrl-C; then tells what they felt."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the campaign")
        parser.add_argument("--count", type=count, required=True, metavar="N", help="how many")
        add_manner_arguments(parser)
        parser.add_argument("--seconds", type=amount, metavar="S", help="end after S seconds")
        parser.add_argument(
            "--url",
            default="ws://127.0.0.1:8000",
            help="where the site is (ws://127.0.0.1:8000)",
        )
        parser.add_argument(
            "--buffer",
            type=buffer_size,
            help="queries that each holds ahead (as many as its pace and its network ask for)",
        )
        parser.add_argument(
            "--first", type=count, default=1, metavar="N",
            help="number of the first bot, for several of these commands side by side (1)",
        )  # fmt: skip
        parser.add_argument(
            "--journal",
            type=Path,
            metavar="FILE",
            help="append a JSON line for each acknowledged label, as soon as it is acknowledged",
        )
        parser.add_argument("--json", action="store_true", help="the summary as JSON on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        campaign = Campaign.objects.filter(slug=options["slug"]).first()
        if campaign is None:
            raise CommandError(
                f"There is no campaign {options['slug']}: `manage.py create_campaign` makes one."
            )
        address = _address(options["url"], campaign.slug)
        labels = options["labels"]
        _allow_connections(options["count"])
        before = people.newest_version(campaign=campaign)
        try:
            people.check_supply(campaign=campaign, labels=labels)
            with people.enlisted(
                campaign=campaign, count=options["count"], first=options["first"]
            ) as identities:
                outcome = self._run(campaign, identities, address, options)
                # The connection was idle during the run; the database may have restarted.
                connection.close()
        except (people.NotABot, people.NotEnoughImages) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The journal cannot be written: {error}") from error
        summary = summarize(
            outcome.tally, accuracy=people.read_accuracy(campaign=campaign, after=before)
        )
        self.stderr.write(summary.as_text(), ending="\n\n")
        if options["json"]:
            self.stdout.write(orjson.dumps(summary.as_json()).decode())
        _judge(outcome, labels)

    def _run(
        self,
        campaign: Campaign,
        identities: Sequence[Identity],
        address: str,
        options: dict[str, Any],
    ) -> Outcome:
        limit = campaign.messages_per_second
        knowledge = people.read_knowledge(campaign=campaign)
        # Not needed during the run, and a restart of the database would break it.
        connection.close()
        return run_crowd(
            identities=identities,
            address=address,
            answers=knowledge.answers,
            choices=knowledge.choices,
            manner=Manner(
                think_s=options["think"],
                least_s=PACE_MARGIN / limit if limit else 0.0,
                error_rate=options["error_rate"],
                buffer=options["buffer"],
            ),
            labels=options["labels"],
            seconds=options["seconds"],
            journal=options["journal"],
            report=self.stderr.write,
        )


def _address(url: str, slug: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise CommandError(
            f"{url} is not a WebSocket's address: write it like ws://127.0.0.1:8000."
        )
    return f"{url.rstrip('/')}/ws/campaigns/{slug}/label/"


def _allow_connections(count: int) -> None:
    """Raise this process's limit of open files for `count` connections, or raise CommandError."""
    needed = count + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise CommandError(
            f"{count} connections need {needed} open files, and this machine allows a process "
            f"{hard}: raise it (`ulimit -Hn`), or take fewer annotators."
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _judge(outcome: Outcome, labels: int | None) -> None:
    """Raise CommandError, which sets the exit status, if the run did not do what was asked."""
    refused = ""
    if outcome.refusals:
        refused = f" {len(outcome.refusals)} were sent away: {outcome.refusals[0]}."
    if outcome.ending == "refused":
        raise CommandError(f"No annotator was let in.{refused}")
    if outcome.ending == "unreachable":
        raise CommandError(
            "Nobody answered for a minute. Is the site running (`manage.py up`), and --url right?"
        )
    if labels is not None and outcome.tally.labels < labels:
        raise CommandError(
            f"Only {outcome.tally.labels} of {labels} labels were acknowledged: "
            f"{ENDINGS[outcome.ending]}.{refused}"
        )
    if outcome.refusals:
        raise CommandError(f"The run was completed, but{refused}")
