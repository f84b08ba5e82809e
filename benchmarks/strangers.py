"""Do floods keep honest people from labeling, or newcomers from coming in?

Runs a real web process with its database. Some people label throughout; between quiet phases one
flood after another comes from other addresses, and a newcomer connects twice a second. Prints the
times of acknowledgements beside those in the quiet phases of the same run, and the times of
newcomers, and writes them to docs/benchmarks/. Bounded in count and time, loopback only.

    python benchmarks/strangers.py [--seconds 8] [--servers daphne uvicorn]
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.arrivals import people_who_label  # noqa: E402
from benchmarks.figures import machine, percentile  # noqa: E402
from benchmarks.load import place  # noqa: E402
from benchmarks.load.arriving import Arrival, Arriving  # noqa: E402
from benchmarks.load.crowd import Load  # noqa: E402
from benchmarks.load.floods import KINDS, Target, flooding  # noqa: E402

REPORT = ROOT / "docs" / "benchmarks" / "strangers.md"
LABELING: Final = 30
NEWCOMERS: Final = 300
THINK_S: Final = 0.25
REST_S: Final = 2.0
COME_EVERY_S: Final = 0.5
QUIET: Final = "quiet"
ELSEWHERE: Final = "127.0.1.{}"
EVERYWHERE: Final = ", each from another address"
SPREAD: Final = ("150 handshakes a second", "frames of strangers on 20 connections")
AIM_RATIO: Final = 2.0
AIM_S: Final = 1.0
WORDS: Final = """\
{labeling} people label, each with {think:g} s of thought on average, beside floods of {seconds:g}
s each. Ratio: of their receipts' p99 to that of the quiet phases before and after all floods, aimed
at {ratio:g} at most. Newcomers come every {every:g} s, in turn programs with a token and browsers
with a session, which load the labeling page first; in is who has the first query, and the longest
of them is aimed at {aim:g} s. Answers: how often the flood was given which HTTP status.

A flood comes from one address that counts as another machine's ({elsewhere}), or where it says so
from ever other ones. Its process has the lowest priority, but runs on the same cores, as do
PostgreSQL and those who label: who floods from elsewhere takes the server's network and its web
process's time, not its cores. So a part of each ratio is the flood's own work here."""
COLUMNS: Final = (
    "| server | flood | receipts/s | ack p50 ms | ack p99 ms | ratio | newcomers in "
    "| p50 s | longest s | web CPU | web MiB | answers |"
)


@dataclass(slots=True)
class Phase:
    """The measurements during one flood, or during a quiet phase.

    `newcomers_s`: seconds until each newcomer was in. `told`: answers to the flood.
    """

    server: str
    flood: str
    began: float = 0.0
    ended: float = 0.0
    cpu_s: float = 0.0
    mib: float = 0.0
    came: int = 0
    newcomers_s: list[float] = field(default_factory=list)
    told: Counter[str] = field(default_factory=Counter)
    acks_ms: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The duration of the phase."""
        return self.ended - self.began

    def ratio(self, quiet: Sequence[float]) -> float:
        """The p99 of acknowledgements, divided by that of the quiet phases (ms, ascending)."""
        return percentile(sorted(self.acks_ms), 99) / percentile(quiet, 99)

    def row(self, quiet: Sequence[float]) -> str:
        """A line of the table."""
        acks, newcomers = sorted(self.acks_ms), sorted(self.newcomers_s)
        told = ", ".join(f"{count:,} × {what}" for what, count in self.told.most_common(5))
        return (
            f"| {self.server} | {self.flood} | {len(acks) / self.seconds:.0f} "
            f"| {percentile(acks, 50):.1f} | {percentile(acks, 99):.1f} "
            f"| {self.ratio(quiet):.1f} | {len(newcomers)} of {self.came} "
            f"| {percentile(newcomers, 50):.2f} | {percentile(newcomers, 100):.2f} "
            f"| {self.cpu_s / self.seconds:.0%} | {self.mib:.0f} | {told} |"
        )

    def holds(self, quiet: Sequence[float]) -> bool:
        """Whether the aims are met."""
        all_in = len(self.newcomers_s) == self.came and max(self.newcomers_s) <= AIM_S
        return all_in and self.ratio(quiet) <= AIM_RATIO


class Course:
    """All phases on one web process."""

    def __init__(
        self, server: str, target: Target, newcomers: Sequence[Arrival], seconds: float
    ) -> None:
        self.server = server
        self.target = target
        self.seconds = seconds
        self.phases: list[Phase] = []
        self._newcomers = list(newcomers)

    def run(self, floods: Sequence[str], web: Sequence[psutil.Process]) -> None:
        """Run a quiet phase, each flood, and another quiet phase."""
        for number, flood in enumerate([QUIET, *floods, QUIET], 1):
            phase = Phase(self.server, flood)
            if flood == QUIET:
                self._measure(phase, web)
            else:
                kind, spread, _ = flood.partition(EVERYWHERE)
                source = "" if spread else ELSEWHERE.format(number)
                with flooding(kind, self.target, source) as told:
                    self._measure(phase, web)
                phase.told = told
            self.phases.append(phase)
            time.sleep(REST_S)

    def _measure(self, phase: Phase, web: Sequence[psutil.Process]) -> None:
        phase.began, phase.cpu_s = time.perf_counter(), -place.cpu_seconds(web)
        asyncio.run(self._come(phase))
        phase.ended = time.perf_counter()
        phase.cpu_s += place.cpu_seconds(web)
        phase.mib = sum(each.memory_info().rss for each in web) / 2**20

    async def _come(self, phase: Phase) -> None:
        coming: list[asyncio.Task[None]] = []
        for _ in range(int(self.seconds / COME_EVERY_S)):
            coming.append(asyncio.create_task(self._one(phase, self._newcomers.pop())))
            await asyncio.sleep(COME_EVERY_S)
        # After the flood, wait for late newcomers no longer than a flood takes.
        await asyncio.wait(coming, timeout=self.seconds)
        for task in coming:
            task.cancel()

    async def _one(self, phase: Phase, how: Arrival) -> None:
        phase.came += 1
        crowd = Arriving(place.HOST, self.target.port, self.target.path)
        arrived = await crowd.run([how], within_s=0.0, patience_s=2 * self.seconds)
        phase.newcomers_s += arrived.seconds


def measure(var: Path, server: str, options: argparse.Namespace) -> list[Phase]:
    """Measure all floods on a fresh web process."""
    slug = f"strangers-{server}"
    stocked = place.stock(slug=slug, people=LABELING + NEWCOMERS + 1, queries=50_000)
    cookies = place.log_in(slug)
    comers = [
        Arrival(cookie=cookie, page=f"/c/{slug}/") if number % 2 else Arrival(token=token)
        for number, (token, cookie) in enumerate(zip(stocked.tokens, cookies, strict=True))
    ]
    path, floods = f"/ws/campaigns/{slug}/label/", options.floods or all_floods()
    with place.web(var, asgi_server=server) as (port, web):
        load = Load(place.HOST, port, path, stocked.tokens[:LABELING], stocked.choices)
        load.think_s, load.buffer = THINK_S, 3
        load.seconds = (len(floods) + 2) * (2 * options.seconds + 2 * REST_S) + 60
        target = Target(port, path, stocked.tokens[-1])
        course = Course(server, target, comers[LABELING:-1], options.seconds)
        with people_who_label(load) as pipe:
            time.sleep(load.warm_up_s + REST_S)
            course.run(floods, web)
            pipe.send("enough")
            receipts: list[tuple[float, float]] = pipe.recv()
    for phase in course.phases:
        phase.acks_ms = [ms for at, ms in receipts if phase.began <= at < phase.ended]
    return course.phases


def all_floods() -> list[str]:
    """All kinds of floods, and some of them again from many addresses."""
    return [*KINDS, *(f"{kind}{EVERYWHERE}" for kind in SPREAD)]


def main() -> None:
    """Run, print and write the results; the exit status is 1 if an aim was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--servers", nargs="+", default=["daphne", "uvicorn"])
    parser.add_argument("--floods", nargs="+", choices=all_floods())
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    rows, all_hold = [], True
    with tempfile.TemporaryDirectory() as folder, place.database(Path(folder)):
        for server in options.servers:
            phases = measure(Path(folder), server, options)
            quiet = sorted(ms for each in phases if each.flood == QUIET for ms in each.acks_ms)
            rows += [each.row(quiet) for each in phases]
            print(*rows[-len(phases) :], sep="\n", file=sys.stderr, flush=True)
            all_hold &= all(each.holds(quiet) for each in phases if each.flood != QUIET)
    command = " ".join(["python", "benchmarks/strangers.py", *sys.argv[1:]])
    load = os.getloadavg()[1]
    head = f"`{command}` on {machine()}; all on the same cores; load of the machine {load:.1f}."
    words = WORDS.format(
        labeling=LABELING, think=THINK_S, seconds=options.seconds, ratio=AIM_RATIO, aim=AIM_S,
        every=COME_EVERY_S, elsewhere=ELSEWHERE.format("x"),
    )  # fmt: skip
    rule = "|" + "---|" * (COLUMNS.count("|") - 1)
    report = "\n".join(["# Strangers", "", head, "", words, "", COLUMNS, rule, *rows, ""])
    print(report)
    if not options.no_report:
        REPORT.write_text(report, encoding="utf-8")
    sys.exit(0 if all_hold else 1)


if __name__ == "__main__":
    main()
