"""Is anything lost when processes are killed, and how soon do people label again?

Runs a real site (`up`: web, PostgreSQL, workers, a server) and simulated annotators, and repeatedly
kills one of its processes with SIGKILL while they label. A checker then compares acknowledged
labels with the database. Prints a table, one row per kill, and writes it to docs/benchmarks/.

    python benchmarks/kills.py [--labels 20000] [--people 50] [--times 20]
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

import orjson
import psutil

ROOT = Path(__file__).resolve().parent.parent
# The site and its checker come from the tests.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from faults.checker import violations  # noqa: E402
from faults.site import (  # noqa: E402
    SERVER,
    WEB,
    WORKER,
    Crowd,
    Site,
    a_site,
    kill_all,
    people,
)

from benchmarks.figures import machine  # noqa: E402
from benchmarks.load import place  # noqa: E402

REPORT = ROOT / "docs" / "benchmarks" / "kills.md"
SLUG: Final = "kills"
AIM_S: Final = 5.0
# Images beyond those that are labeled, so that D does not run out at the end.
SPARE: Final = 2_000
PICTURES: Final = 500
COLUMNS: Final = "| kill | killed | labels before | longest pause s | labels after it | lost |"
ALL_RIGHT: Final = (
    "every acknowledged label is in the database, once and as it was said, and nothing else is; "
    "no image has more than its one answer, late ones apart; the counters are the counts; no "
    "process is left"
)
# A crash can lose the record that somebody was shown an image; another person is shown it then too.
LATE: Final = "SELECT count(*) FROM pools_label WHERE late"
PAUSE: Final = (
    "Pause: the longest time without any acknowledgement, from the last one before the kill on; "
    f"the aim is {AIM_S:g} s. “All at once” includes that `up` is started again by hand and that "
    "PostgreSQL recovers from its log. Lost: of the labels acknowledged until the next kill, those "
    "that are not in the database as they were said."
)


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, and its effect on people.

    `labels`: labels before the kill. `after`: labels until the next kill. `lost`: acknowledged
    labels that are not in the database.
    """

    what: str
    labels: int
    # The longest time between acknowledgements, from the last one before the kill on.
    pause_s: float
    after: int
    lost: int


def add_campaign(images: int) -> None:
    """Create a campaign of ten classes with tiny images in D and a holdout."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    from al_engine.pools import campaigns
    from al_engine.pools.campaigns import NewChoice
    from al_engine.pools.images import NewImage, add_images, adding

    campaign = campaigns.create_campaign(
        slug=SLUG,
        title="Kills",
        choices=[NewChoice(str(number)) for number in range(10)],
        settings={"messages_per_second": 0, "image_size": 8},
    )
    choices = list(campaign.choices.values_list("id", flat=True))
    files = [
        (default_storage.save(f"images/{SLUG}/{number}.png", ContentFile(data)), len(data))
        for number, data in enumerate(map(_picture, range(PICTURES)))
    ]
    with adding(campaign_id=campaign.pk):
        for split, count in (("pool", images), ("holdout", PICTURES)):
            new = [
                NewImage(
                    # Images share files here, so digests come from their numbers.
                    sha256=sha256(f"{split} {number}".encode()).hexdigest(),
                    name=f"{split}/{number}.png",
                    key=files[number % PICTURES][0],
                    width=8,
                    height=8,
                    size=files[number % PICTURES][1],
                    known_choice_id=choices[number % PICTURES % 10],
                )
                for number in range(count)
            ]
            add_images(campaign_id=campaign.pk, split=split, images=new)


def _picture(number: int) -> bytes:
    """A PNG whose brightness roughly gives its class."""
    from io import BytesIO

    from PIL import Image

    dice, light = Random(number), 25 * (number % 10)  # noqa: S311 - pictures
    data = BytesIO()
    pixels = bytes(min(255, light + dice.randrange(30)) for _ in range(64))
    Image.frombytes("L", (8, 8), pixels).save(data, "PNG")
    return data.getvalue()


class Course:
    """The site, its people, and the kills so far."""

    def __init__(self, site: Site, crowd: Crowd, up: list[str]) -> None:
        self.site = site
        self.crowd = crowd
        self.up = up
        self.kills: list[Kill] = []
        # The last kill: what was killed, and after how many labels.
        self._open: tuple[str, int] | None = None

    def kill(self, what: str, at_labels: int) -> None:
        """Wait for `at_labels` labels, then kill."""
        self.crowd.until_labels(at_labels)
        self.close()
        before = len(self.crowd.journal.lines)
        self._faults()[what]()
        self._open = what, before

    def close(self) -> None:
        """Record the effect of the last kill, now that people have gone on labeling."""
        if self._open is None:
            return
        (what, before), self._open = self._open, None
        lines = list(self.crowd.journal.lines)
        moments = [moment for moment, _ in lines[before - 1 :]]
        pause = max((late - early for early, late in pairwise(moments)), default=float("nan"))
        kill = Kill(what, before, pause, len(lines) - before, self._lost(line for _, line in lines))
        self.kills.append(kill)
        print(row(len(self.kills), kill), file=sys.stderr, flush=True)

    def _lost(self, lines: Iterable[str]) -> int:
        """The number of acknowledged labels that are not in the database unchanged."""
        said = {
            (line["client_id"], line["query"], line["choice"]) for line in map(orjson.loads, lines)
        }
        there = self.site.rows("SELECT client_id::text, turn_id, choice_id FROM pools_label")
        return len(said - set(there))

    def _faults(self) -> dict[str, Callable[[], None]]:
        site = self.site
        return {
            "web": lambda: kill_all([site.until_there(WEB)]),
            "PostgreSQL": lambda: kill_all(site.postgres()),
            "worker": lambda: kill_all([site.until_there(WORKER)]),
            "server": lambda: kill_all([site.until_there(SERVER)]),
            "all at once": self._kill_everything,
        }

    def _kill_everything(self) -> None:
        assert self.site.process is not None
        up = psutil.Process(self.site.process.pid)
        kill_all([up, *up.children(recursive=True), *self.site.postgres()])
        self.site.process.wait()
        self.site.start(*self.up)


TARGETS: Final = ("web", "PostgreSQL", "worker", "server", "all at once")


def row(number: int, kill: Kill) -> str:
    """One line of the table."""
    return (
        f"| {number} | {kill.what} | {kill.labels:,} | {kill.pause_s:.2f} | {kill.after:,} "
        f"| {kill.lost} |"
    )


def summary(kills: list[Kill]) -> list[str]:
    """A table with one line for each kind of kill: people's pauses."""
    lines = [
        "| killed | times | median pause s | longest s | within 5 s |",
        "|---|---|---|---|---|",
    ]
    for what in TARGETS:
        pauses = [kill.pause_s for kill in kills if kill.what == what]
        if pauses:
            within = sum(pause <= AIM_S for pause in pauses)
            lines.append(
                f"| {what} | {len(pauses)} | {median(pauses):.2f} | {max(pauses):.2f} "
                f"| {within} of {len(pauses)} |"
            )
    return lines


def main() -> None:
    """Run, print and write the results; the exit status is 1 if anything was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=20_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--times", type=int, default=20, help="kills")
    parser.add_argument("--think", type=float, default=0.25, help="seconds of thought, on average")
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    up = ["up", "--servers=1", "--workers=2"]
    with a_site() as site:
        with place.database(site.var):
            add_campaign(options.labels + SPARE)
        site.start(*up)
        began = time.monotonic()
        with people(
            site, SLUG, labels=options.labels, count=options.people, think_s=options.think
        ) as crowd:
            course = Course(site, crowd, up)
            for number in range(options.times):
                at = options.labels * (number + 1) // (options.times + 1)
                course.kill(TARGETS[number % len(TARGETS)], at)
            journal = crowd.end()
            course.close()
        seconds = time.monotonic() - began
        wrong = violations(site, journal)
        versions, late = site.newest_version(), site.rows(LATE)[0][0]
        told = "\n".join(site.stop())
        if "Traceback" in told:
            wrong.append("a traceback was told")
        if left := site.all_processes():
            wrong.append(f"{len(left)} processes were left behind")
    found = "; ".join(wrong) or f"{ALL_RIGHT}. {late} answers are late"
    text = _report(options, course.kills, len(journal), seconds, versions, found)
    print(text)
    if not options.no_report:
        REPORT.write_text(text, encoding="utf-8")
    sys.exit(1 if wrong else 0)


def _report(
    options: argparse.Namespace,
    kills: list[Kill],
    labels: int,
    seconds: float,
    versions: int,
    found: str,
) -> str:
    command = " ".join(["python", "benchmarks/kills.py", *sys.argv[1:]])
    return "\n".join(
        [
            "# Kills while people label",
            "",
            f"`{command}` on {machine()}; the simulated annotators run on the same cores.",
            "",
            (
                f"{labels:,} acknowledged labels of {options.people} people in {seconds:.0f} s, "
                f"{len(kills)} kills with -9, {versions} models published meanwhile. After the "
                f"end: {found}."
            ),
            "",
            PAUSE,
            "",
            *summary(kills),
            "",
            COLUMNS,
            "|---|---|---|---|---|---|",
            *(row(number, kill) for number, kill in enumerate(kills, start=1)),
            "",
        ]
    )


if __name__ == "__main__":
    main()
