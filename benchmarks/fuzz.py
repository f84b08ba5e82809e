"""Does rubbish on many sockets harm the people who label? The test's fuzzer, at length.

On a real site, honest annotators label alone; then while another process sends malformed,
oversized, truncated and dishonest frames as fast as it can; then alone again. Prints the fate of
the frames, of the honest annotators and of the web process, and writes it to docs/benchmarks/.

    python benchmarks/fuzz.py [--frames 10000]
"""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT = Path(__file__).resolve().parent.parent
# The site, the fuzzer and the checks come from the tests.
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "integration")]

from faults.site import WEB, Site, a_site  # noqa: E402

from benchmarks.figures import machine, percentile  # noqa: E402
from benchmarks.load import place  # noqa: E402

if TYPE_CHECKING:
    from labeling.fuzzed import Fuzzed
    from labeling.rubbish import Prey

REPORT = ROOT / "docs" / "benchmarks" / "fuzz.md"
IMAGES: Final = 12_000
THINK_S: Final = 0.1
ALONE_S: Final = 8.0
REST_S: Final = 5.0
PACES: Final = {"fuzzed, 500 frames/s": 500.0, "fuzzed, as fast as can be": 0.0}
LIMITS: Final = {
    20: "With a campaign’s limit of 20 messages a second for each annotator",
    0: "Without a limit of messages: all that is sent is dealt with",
}
COLUMNS: Final = "| part | s | labels | labels/s | ack p50 ms | ack p99 ms | ack max ms | web MiB |"
CHECKS: Final = (
    "every label in the database is one that an honest annotator sent and got acknowledged, once "
    "and as it was said; none was retracted; none is in the other campaign; all rules of the pools "
    "hold; the web process is the same; its log has no traceback; no honest annotator was refused, "
    "closed or had a query taken away"
)
WORDS: Final = (
    "{frames:,} drawn frames over {sockets} sockets at a time, of annotators of the same campaign, "
    "beside {honest} honest ones who think {think_s:g} s on average. Half of the frames come at a "
    "pace, then the other half as fast as they can be sent, by a process that takes its share of "
    "the cores. The honest’s ack p99 meanwhile is {ratios} times that of the quieter part without."
)
AGAIN: Final = (
    "{:,} acknowledged answers were sent again under their id with another class: all were "
    "refused, the first ones stand."
)


@dataclass(slots=True)
class Part:
    """The honest annotators' acknowledgements and the web process's memory in a part of the run."""

    name: str
    seconds: float
    acks_ms: list[float]
    web_mib: float

    def row(self) -> str:
        """A line of the table."""
        acks = sorted(self.acks_ms)
        p50, p99 = (percentile(acks, percent) for percent in (50, 99))
        return (
            f"| {self.name} | {self.seconds:.1f} | {len(acks):,} "
            f"| {len(acks) / self.seconds:,.0f} | {p50:.1f} | {p99:.1f} | {acks[-1]:.1f} "
            f"| {self.web_mib:.0f} |"
        )


class Course:
    """One run: honest annotators who label throughout, and its parts."""

    def __init__(self, site: Site, fuzzed: "Fuzzed", frames: int) -> None:
        self.site = site
        self.fuzzed = fuzzed
        self.frames = frames
        self.web = site.until_there(WEB)
        self.parts: list[Part] = []
        self.sent: Counter[str] = Counter()
        self.told: Counter[str] = Counter()

    async def run(self) -> None:
        """Run all parts, one after the other."""
        over = asyncio.Event()
        honest = self.fuzzed.honest
        await asyncio.gather(*(each.enter() for each in honest))
        prey = self.fuzzed.prey()
        async with asyncio.TaskGroup() as group:
            for each in honest:
                group.create_task(each.label(over))
            await asyncio.sleep(3.0)  # until the first statements are planned
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
                await asyncio.get_running_loop().run_in_executor(apart, os.getpid)
                await self._part("alone", asyncio.sleep(ALONE_S))
                for seed, (name, per_second) in enumerate(PACES.items()):
                    await self._part(name, self._fuzz(apart, prey, seed, per_second))
                await self._part("at rest again", asyncio.sleep(REST_S))
                await self._part("alone again", asyncio.sleep(ALONE_S))
            over.set()
        await asyncio.gather(*(each.leave() for each in honest))

    async def _part(self, name: str, meanwhile: Awaitable[None]) -> None:
        marks = [len(each.acks_ms) for each in self.fuzzed.honest]
        began = time.monotonic()
        await meanwhile
        seconds = time.monotonic() - began
        acks = [
            ms
            for each, mark in zip(self.fuzzed.honest, marks, strict=True)
            for ms in each.acks_ms[mark:]
        ]
        part = Part(name, seconds, acks, self.web.memory_info().rss / 2**20)
        self.parts.append(part)
        print(part.row(), file=sys.stderr, flush=True)

    async def _fuzz(
        self, apart: ProcessPoolExecutor, prey: "Prey", seed: int, per_second: float
    ) -> None:
        from labeling.fuzzer import fuzz_apart

        sent, told = await asyncio.get_running_loop().run_in_executor(
            apart,
            partial(
                fuzz_apart,
                (self.fuzzed.site, self.fuzzed.path, prey),
                self.frames // len(PACES),
                (self.fuzzed.liars, self.fuzzed.takers),
                seed=seed,
                per_second=per_second,
            ),
        )
        self.sent += sent
        self.told += told

    def wrong(self) -> list[str]:
        """What is wrong after the run, in words."""
        found = self.fuzzed.wrong()
        if self.site.until_there(WEB) != self.web:
            found.append("the web process is another one")
        logs = "".join(path.read_text() for path in (self.site.var / "logs").glob("web-*"))
        if "Traceback" in logs:
            found.append("a traceback is in the log")
            print(logs[-5_000:], file=sys.stderr)
        return found

    def ratio(self, name: str) -> float:
        """The ratio of honest annotators' ack p99 in a part to that in the quieter part alone."""
        p99s = {part.name: percentile(sorted(part.acks_ms), 99) for part in self.parts}
        return p99s[name] / min(p99s["alone"], p99s["alone again"])


def main() -> None:
    """Run, print and write the results; the exit status is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--honest", type=int, default=10)
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    sections: list[str] = []
    wrong: list[str] = []
    with a_site() as site, place.database(site.var):
        site.start("up", "--servers=0", "--workers=0")
        for limit in LIMITS:
            course = _measure(site, options, limit)
            found = course.wrong()
            sections.append(_section(course, limit, found))
            wrong += found
            print(sections[-1])
        site.stop()
    if not options.no_report:
        command = " ".join(["python", "benchmarks/fuzz.py", *sys.argv[1:]])
        title = "# Rubbish on the labeling WebSocket"
        head = f"{title}\n\n`{command}` on {machine()}; all on the same cores.\n"
        REPORT.write_text("\n".join([head, *sections]), encoding="utf-8")
    sys.exit(1 if wrong else 0)


def _measure(site: Site, options: argparse.Namespace, limit: int) -> Course:
    """Run all parts in a new campaign."""
    from django.db import connection
    from labeling.fuzzed import make_fuzzed

    fuzzed = make_fuzzed(
        f"http://localhost:{site.port}",
        images=IMAGES,
        honest=options.honest,
        liars=6,
        takers=2,
        think_s=THINK_S,
        messages_per_second=limit,
    )
    with connection.cursor() as cursor:
        # Do now what creating the campaign left for later, so that it is not measured.
        cursor.execute("ANALYZE")
    place.checkpoint()
    course = Course(site, fuzzed, options.frames)
    asyncio.run(course.run())
    return course


def _section(course: Course, limit: int, wrong: list[str]) -> str:
    fuzzed = course.fuzzed
    contradicted = sum(each.contradicted for each in fuzzed.honest)
    return "\n".join(
        [
            f"## {LIMITS[limit]}",
            "",
            WORDS.format(
                frames=course.sent.total(),
                sockets=len(fuzzed.liars) + len(fuzzed.takers),
                honest=len(fuzzed.honest),
                think_s=THINK_S,
                ratios=" and ".join(f"{course.ratio(name):.1f}" for name in PACES),
            ),
            "",
            f"Afterwards: {'; '.join(wrong) or CHECKS}. {AGAIN.format(contradicted)}",
            "",
            COLUMNS,
            "|---|---|---|---|---|---|---|---|",
            *(part.row() for part in course.parts),
            "",
            "| frame | sent |",
            "|---|---|",
            *_counts(course.sent.items()),
            "",
            "| what came back | times |",
            "|---|---|",
            *_counts(course.told.items()),
            "",
        ]
    )


def _counts(items: Iterable[tuple[str, int]]) -> list[str]:
    return [f"| {what} | {count:,} |" for what, count in sorted(items)]


if __name__ == "__main__":
    main()
