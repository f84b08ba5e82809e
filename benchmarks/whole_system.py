"""People who think, with the real engine beside them: what they feel, and what they are asked.

`up` runs with one server and ten workers on the cores that also carry the load generator and
PostgreSQL, on a campaign with the default settings. Prints a table and writes it to
docs/benchmarks/whole_system.md (whole_system_PRESET.md), with the depth of S over time.

    python benchmarks/whole_system.py [--people 10 100 300 1000] [--seconds 300] [--preset paper]
"""

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import machine, percentile  # noqa: E402
from benchmarks.large.drawings import store_drawings  # noqa: E402
from benchmarks.load import place  # noqa: E402
from benchmarks.load.crowd import Crowd, Figures, Load  # noqa: E402

REPORTS: Final = ROOT / "docs" / "benchmarks"
CLASSES: Final = 10
LEAST_IMAGES: Final = 30_000
COLUMNS: Final = (
    "| people | labels/s | dry waits | longest wait ms | wait p99 ms | ack p50 ms | ack p99 ms "
    "| S, least and mean | aimed at, mean | staleness, mean | versions a minute "
    "| by the newest model | by an older one | at random | problems |"
)

_ASKED: Final = """
    SELECT avg(l.staleness)::float8,
           avg((q.model_version_id = newest.id)::int)::float8,
           avg((q.model_version_id <> newest.id)::int)::float8
    FROM pools_label l
    JOIN pools_query q ON q.id = l.query_id
    LEFT JOIN LATERAL (SELECT v.id FROM pools_modelversion v
                       WHERE v.campaign_id = l.campaign_id AND v.published_at < q.created_at
                       ORDER BY v.version DESC LIMIT 1) newest ON true
    WHERE l.campaign_id = %s
"""
_BY_A_MODEL: Final = """
    SELECT avg((q.model_version_id IS NOT NULL)::int)::float8
    FROM pools_label l JOIN pools_query q ON q.id = l.query_id WHERE l.campaign_id = %s
"""


@dataclass(slots=True)
class Depths:
    """The depth of S and its target, once a second."""

    open: list[int] = field(default_factory=list)
    target: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asked:
    """How the answered queries were chosen, as shares of all, and their mean staleness (labels).

    `newest`, `older`: by the newest or an older version at the time. `versions`: their number.
    """

    staleness: float
    versions: int
    newest: float
    older: float
    at_random: float


def a_campaign(slug: str, *, people: int, images: int, preset: str | None) -> tuple[Any, list[str]]:
    """Create a running campaign of drawings with known labels; returns its people's tokens too."""
    from al_engine.pools import campaigns
    from al_engine.pools.models import Campaign

    settings = campaigns.PRESETS[preset] if preset else {}
    campaign = campaigns.create_campaign(
        slug=slug,
        title="A load",
        choices=[campaigns.NewChoice(str(n)) for n in range(CLASSES)],
        settings={**settings, "messages_per_second": 0},
    )
    store_drawings(campaign, images)
    tokens = place.add_people(campaign, people)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.RUNNING)
    return campaign, tokens


@contextmanager
def site(var: Path) -> Iterator[int]:
    """`up` with one server and ten workers; yields its port."""
    with closing(socket.socket()) as free:
        free.bind((place.HOST, 0))
        port = free.getsockname()[1]
    log = (var / "up.log").open("ab")
    process = subprocess.Popen(
        [
            *(sys.executable, str(ROOT / "manage.py"), "up", f"--port={port}"),
            *("--servers=1", "--workers=10"),
        ],
        env={**os.environ, "NOWAIT_VAR": str(var)},
        stdout=log,
        stderr=log,
    )
    try:
        place.await_answer(port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def watch(campaign_id: int, depths: Depths, over: threading.Event) -> None:
    """Record the depth of S once a second, in a thread, until `over` is set."""
    from django.db import connection

    from al_engine.pools import processes, sizes

    while not over.wait(1.0):
        depths.open.append(sizes.open_depth(campaign_id=campaign_id))
        depths.target.append(processes.target_depth(campaign_id=campaign_id))
    connection.close()


def label(port: int, campaign: Any, tokens: list[str], options: argparse.Namespace) -> Figures:
    """Let the people label for `options.seconds`."""
    from al_engine.pools.models import Image

    images = Image.objects.filter(campaign=campaign)
    load = Load(
        place.HOST,
        port,
        f"/ws/campaigns/{campaign.slug}/label/",
        tokens,
        tuple(campaign.choices.values_list("id", flat=True)),
        truth=dict(images.values_list("id", "known_choice")),
        think_s=options.think,
        buffer=options.buffer,
        seconds=options.seconds,
        warm_up_s=3.0,
    )

    async def run() -> Figures:
        return await Crowd(load).run()

    return asyncio.run(run())


def asked(campaign_id: int) -> Asked:
    """How the answered queries of a campaign were chosen."""
    from django.db import connection

    from al_engine.pools.models import ModelVersion

    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [campaign_id])
        staleness, newest, _ = cursor.fetchone()
        cursor.execute(_BY_A_MODEL, [campaign_id])
        (by_a_model,) = cursor.fetchone()
    by_a_model = by_a_model or 0.0
    known = by_a_model * (newest or 0.0)
    return Asked(
        staleness or 0.0,
        ModelVersion.objects.filter(campaign_id=campaign_id).count(),
        known,
        by_a_model - known,
        1.0 - by_a_model,
    )


def run_once(var: Path, people: int, options: argparse.Namespace) -> tuple[str, Depths]:
    """One run on a fresh campaign: its row of the table, and the depths."""
    from django.db import connection

    from al_engine.pools import campaigns
    from al_engine.pools.models import Campaign
    from annotator_site import embedded_postgres

    # The site of the previous run has stopped PostgreSQL.
    connection.close()
    embedded_postgres.ensure_running(var)
    images = max(LEAST_IMAGES, int(1.3 * people * (options.seconds + 10) / options.think))
    slug = f"load-{people}"
    campaign, tokens = a_campaign(slug, people=people, images=images, preset=options.preset)
    # Flush the writes of the set-up, so that answers do not wait for them.
    place.checkpoint()
    os.sync()
    depths, over = Depths(), threading.Event()
    with site(var) as port:
        watcher = threading.Thread(target=watch, args=(campaign.pk, depths, over))
        watcher.start()
        figures = label(port, campaign, tokens, options)
        over.set()
        watcher.join()
        campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.FINISHED)
        by = asked(campaign.pk)
    acks, waits = sorted(figures.acks_ms), sorted(figures.waits_ms)
    problems = ", ".join(
        f"{n} × {what}" for what, n in figures.problems.items() if not what.startswith("revoke")
    )
    minutes = (options.seconds + figures.connect_s + 3) / 60
    row = (
        f"| {people:,} | {figures.per_second:,.0f} | {figures.dry:,} | {waits[-1]:,.0f} "
        f"| {percentile(waits, 99):.1f} | {percentile(acks, 50):.1f} | {percentile(acks, 99):.1f} "
        f"| {min(depths.open):,}, {mean(depths.open):,.0f} | {mean(depths.target):,.0f} "
        f"| {by.staleness:,.0f} | {by.versions / minutes:.1f} | {by.newest:.0%} | {by.older:.0%} "
        f"| {by.at_random:.0%} | {problems or 'none'} |"
    )
    return row, depths


def over_time(depths: Depths, seconds: int = 60) -> str:
    """The depth of S in the first minute, every two seconds, as actual/target."""
    pairs = list(zip(depths.open, depths.target, strict=True))[:seconds:2]
    return ", ".join(f"{held}/{aimed}" for held, aimed in pairs)


def main() -> None:
    """Run each number of people; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="+", default=[10, 100, 300, 1_000])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--think", type=float, default=1.0)
    parser.add_argument("--buffer", type=int, default=3)
    parser.add_argument("--preset")
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    rows, courses = [], []
    with tempfile.TemporaryDirectory(prefix="nowait-whole-") as folder:
        var = Path(folder)
        var.chmod(0o711)  # run as root, PostgreSQL uses another account, which must pass through
        with place.database(var):
            for people in options.people:
                began = time.monotonic()
                row, depths = run_once(var, people, options)
                print(row, f"({time.monotonic() - began:.0f} s)", file=sys.stderr)
                rows.append(row)
                courses.append(f"- {people:,} people: {over_time(depths)}")
    text = "\n".join(
        [
            "# The whole system",
            "",
            _words(options),
            "",
            COLUMNS,
            "|" + "---|" * COLUMNS.count(" | ") + "---|",
            *rows,
            "",
            "S in the first minute, every two seconds (held/aimed at):",
            "",
            *courses,
            "",
        ]
    )
    print(text)
    if not options.no_report:
        name = f"whole_system_{options.preset}" if options.preset else "whole_system"
        (REPORTS / f"{name}.md").write_text(text, encoding="utf-8")


def _words(options: argparse.Namespace) -> str:
    return (
        f"`{' '.join(['python', 'benchmarks/whole_system.py', *sys.argv[1:]])}` on {machine()}: "
        f"people who think {options.think:g} s on average and hold {options.buffer}, from their "
        f"fourth second on for {options.seconds:.0f} s, on drawings of 16 × 16 pixels; `up` with "
        "one server and ten workers, the load generator and PostgreSQL run on the same cores. A "
        "wait is from an answer to having the next image in hand."
    )


if __name__ == "__main__":
    main()
