"""Does claiming and answering get slower as the pools grow? On the real schema, at the desk's rate.

Times the desk's own transaction (`annotator_site/labeling/transaction.py`), after which the next
images go out, and the flush that receipts wait for, with 64 people's labels and claims and with one
person's, on ten million images with a million open queries and on ten thousand with a thousand, in
turns. Then five million labels go through the large pools in transactions of a thousand, and it is
timed again. Writes docs/benchmarks/growth.md.

    python benchmarks/growth.py [--images 10000000] [--queries 1000000] [--labels 5000000]

Takes some 12 GB of disk and half an hour for those sizes. With --folder what was done is kept, and
a run that --minutes or Ctrl-C ended goes on where it stopped.
"""

import argparse
import asyncio
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import machine, percentile  # noqa: E402
from benchmarks.large import pools  # noqa: E402
from benchmarks.large.desk import Took, at_desk, labels_stored  # noqa: E402
from benchmarks.large.pools import Campaign, Size  # noqa: E402
from benchmarks.load import place  # noqa: E402

REPORT: Final = ROOT / "docs" / "benchmarks" / "growth.md"
SMALL: Final = Size("small", 10_000, 1_000)
# Batches in a round, by the number of people whose labels and claims are in a batch. The small
# pools have images for one round only, so they are created anew for each round.
BATCHES: Final = {64: 100, 1: 1_000}
WARM_UP: Final = 20
THOUSAND: Final = 1_000
STEP: Final = 20_000
AIM: Final = 1.2
GB: Final = 1e9
BYTES_AN_IMAGE: Final = 1_200

Times = dict[str, list[Took]]
WAITS: Final = ("until the next image goes out", "until the answer is on disk")


def say(text: str) -> None:
    """Print progress to stderr, apart from the figures on stdout."""
    print(text, file=sys.stderr, flush=True)


class Growth:
    """One comparison and its figures so far, stored in the folder."""

    def __init__(self, options: argparse.Namespace, folder: Path, campaign: Campaign) -> None:
        self.options = options
        self.campaign = campaign
        self.large = Size("large", options.images, options.queries)
        self.kept = folder / "growth.json"
        sizes = [options.images, options.queries]
        self.known: dict[str, Any] = {"sizes": sizes, "driven": []}
        if self.kept.exists():
            self.known = json.loads(self.kept.read_text(encoding="utf-8"))
            if self.known["sizes"] != sizes:
                sys.exit(f"{folder} has pools of other sizes: {self.known['sizes']}.")

    def go_on(self, until: float) -> bool:
        """Do the remaining steps; returns False if `until` (`time.monotonic`) came first."""
        if not pools.ensure_filled(self.large, self.campaign, say, until):
            return False
        return (
            asyncio.run(self._compare("before", until))
            and asyncio.run(self._drive(until))
            and asyncio.run(self._compare("after", until))
        )

    async def _compare(self, when: str, until: float) -> bool:
        """Time batches on both pools in turns; stores each round's times by database and people."""
        rounds: list[dict[str, Times]] = self.known.setdefault(when, [])
        if len(rounds) >= self.options.rounds:
            return True
        read_all(self.kept.parent)
        if not rounds:
            stored = await labels_stored(self.large)
            self._keep(**{f"usage_{when}": pools.usage("large"), f"labels_{when}": stored})
        async with at_desk(self.large, self.campaign) as desk:
            await desk.rounds(64, 10 * WARM_UP)
            await desk.analyze()
        while len(rounds) < self.options.rounds:
            if time.monotonic() > until:
                return False
            pools.drop("small")
            pools.ensure_filled(SMALL, self.campaign, lambda _: None, float("inf"))
            found: dict[str, Times] = {}
            for size in (SMALL, self.large) if len(rounds) % 2 else (self.large, SMALL):
                found[size.database] = await self._round(size)
            rounds.append(found)
            self._keep()
        pools.drop("small")
        return True

    async def _round(self, size: Size) -> Times:
        async with at_desk(size, self.campaign) as desk:
            await desk.rounds(64, WARM_UP)
            if size is SMALL:  # too new for autovacuum to have analyzed it
                await desk.analyze()
            times = {str(people): await desk.rounds(people, n) for people, n in BATCHES.items()}
        p99 = ", ".join(
            f"{milliseconds([took[0] for took in mine], 99)} ms with {n}"
            for n, mine in times.items()
        )
        say(f"{size.database}: p99 {p99}")
        return times

    async def _drive(self, until: float) -> bool:
        """Let labels go through the large pools; stores the time of each part."""
        while (stored := await labels_stored(self.large)) < self.options.labels:
            if time.monotonic() > until:
                return False
            count = min(STEP, self.options.labels - stored)
            began = time.monotonic()
            async with at_desk(self.large, self.campaign) as desk:
                await desk.rounds(THOUSAND, -(-count // THOUSAND))
            took = time.monotonic() - began
            self._keep(driven=[*self.known["driven"], [count, took]])
            say(f"large: {stored + count:,} labels, {count / took:,.0f} a second")
        return True

    def _keep(self, **known: Any) -> None:
        self.known |= known
        self.kept.write_text(json.dumps(self.known), encoding="utf-8")


def read_all(folder: Path) -> None:
    """Read every page of the database once, so that reads from a cold disk are not timed."""
    for path in (folder / "postgres").rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 20):
                    pass


def milliseconds(seconds: Sequence[float], rank: int) -> str:
    """A percentile of times, formatted in milliseconds."""
    return f"{1e3 * percentile(sorted(seconds), rank):.1f}"


def speed(known: dict[str, Any], labels: int) -> str:
    """Both comparisons as a Markdown table."""
    images, queries = known["sizes"]
    lines = [
        "| pools | labels + claims | time | p50 ms | p99 ms | max ms | p99 to small pools' |",
        "|---|---|---|---|---|---|---|",
    ]
    for (nth, wait), people in product(enumerate(WAITS), BATCHES):
        rows = [
            (f"{SMALL.images:,} images, {SMALL.queries:,} queries", "before", "small"),
            (f"{images:,} images, {queries:,} queries", "before", "large"),
            ("the small ones again", "after", "small"),
            (f"the large ones after {labels:,} labels", "after", "large"),
        ]
        for name, when, database in rows:
            mine, small = (
                sorted(took[nth] for turn in known[when] for took in turn[of][str(people)])
                for of in (database, "small")
            )
            ratio = percentile(mine, 99) / percentile(small, 99)
            lines.append(
                f"| {name} | {people} | {wait} | {milliseconds(mine, 50)} "
                f"| {milliseconds(mine, 99)} | {milliseconds(mine, 100)} | {ratio:.2f} |"
            )
    return "\n".join(lines)


def sizes(known: dict[str, Any]) -> str:
    """The large pools' tables before and after the labels, as a Markdown table."""
    lines = [
        "| table | rows before → after | dead rows | table GB | indexes GB |",
        "|---|---|---|---|---|",
    ]
    for table in pools.TABLES:
        (live, dead, own, keys), (live2, dead2, own2, keys2) = (
            known["usage_before"][table],
            known["usage_after"][table],
        )
        lines.append(
            f"| {table} | {live:,} → {live2:,} | {dead:,} → {dead2:,} "
            f"| {own / GB:.2f} → {own2 / GB:.2f} | {keys / GB:.2f} → {keys2 / GB:.2f} |"
        )
    return "\n".join(lines)


BOUND: Final = (
    "What bounds a batch of 64: a label changes some seven pages that lie anywhere in the large "
    "tables. They are read from the system’s cache, since the database’s own holds a third of "
    "them, and the first change of each after a checkpoint writes it to the log as a whole (50 KB "
    "of log a label, nearly all of it such pages, by `pg_stat_io` and `pg_stat_wal`). The small "
    "pools’ pages are so few that they are in memory and in the log already. No statement reads "
    "more rows as the pools grow: their plans are pinned in "
    "`tests/integration/pools/test_plans.py`.\n"
)


def report(known: dict[str, Any], options: argparse.Namespace) -> str:
    """The page about a complete comparison."""
    driven: Sequence[tuple[int, float]] = known["driven"]
    labels, seconds = sum(count for count, _ in driven), sum(took for _, took in driven)
    through = ""
    if driven:
        through = (
            f"{labels:,} labels went through the large pools in {seconds:,.0f} s, "
            f"{labels / seconds:,.0f} a second: {driven[0][0] / driven[0][1]:,.0f} a second at "
            f"the beginning, {driven[-1][0] / driven[-1][1]:,.0f} at the end. Nothing was "
            "vacuumed but by autovacuum.\n\n"
        )
    samples = {people: count * options.rounds for people, count in BATCHES.items()}
    return (
        "# Claiming and answering as the pools grow\n\n"
        f"`python benchmarks/growth.py --images {options.images} --queries {options.queries} "
        f"--labels {options.labels} --rounds {options.rounds}` on {machine()}, with the bundled "
        "PostgreSQL as `nowait up` sets it up, the load generator on the same cores.\n\n"
        "A batch is the desk's own transaction: everybody answers what they hold and claims the "
        "next image. Next images go out once it is committed (where the disk takes more than "
        "5 ms); receipts when the flush after it is done. Images are asked in an "
        "order that looks random, and all pages were read once before. "
        f"{samples[64]:,} batches of 64 and {samples[1]:,} of 1 each, "
        f"small and large pools in turns. The aim is a p99 of at most {AIM} times that of small "
        f"pools.\n\n{speed(known, known['labels_after'])}\n\n{through}{BOUND}\n"
        f"{sizes(known)}\n"
    )


def main() -> None:
    """Fill, compare, let labels through, compare again; print and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000_000)
    parser.add_argument("--queries", type=int, default=1_000_000)
    parser.add_argument("--labels", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the database is made, and kept")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after these")
    options = parser.parse_args()
    if not THOUSAND <= options.queries <= options.images - options.labels:
        parser.error("queries: a thousand at least; images: as many as labels and queries at least")
    until = time.monotonic() + 60 * options.minutes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="nowait-growth-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # run as root, PostgreSQL uses another account, which must pass through
    if shutil.disk_usage(folder).free < 2 * BYTES_AN_IMAGE * options.images:
        sys.exit(f"{folder} has not the room for {options.images:,} images: choose a --folder.")
    try:
        with place.database(folder.resolve()):
            growth = Growth(options, folder, pools.ensure_template())
            done = growth.go_on(until)
    except KeyboardInterrupt:
        done = False
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    if not done:
        sys.exit("Stopped before the end; with --folder the next run goes on from here.")
    text = report(growth.known, options)
    print(text)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
