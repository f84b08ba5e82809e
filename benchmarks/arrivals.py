"""A thousand people in one second: are all of them in, each with an answer, and who feels it?

Runs a real web process with its database. Some people label throughout; then others come within one
second: programs with tokens, or browsers with sessions, which load the labeling page before they
open the WebSocket. People who are told to come later do so. Prints how the newcomers fared and how
long acknowledgements took for the people who label, and writes it to docs/benchmarks/. Bounded in
count and time, loopback only.

    python benchmarks/arrivals.py [--people 1000] [--web 1]
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import machine, percentile  # noqa: E402
from benchmarks.load import place  # noqa: E402
from benchmarks.load.arriving import Arrival, Arrived, Arriving  # noqa: E402
from benchmarks.load.crowd import Crowd, Load  # noqa: E402

REPORT = ROOT / "docs" / "benchmarks" / "arrivals.md"
SLUG: Final = "arrivals"
LABELING: Final = 20
THINK_S: Final = 0.25
ALONE_S: Final = 8.0
WITHIN_S: Final = 1.0
AIM_S: Final = 15.0
PATIENCE_S: Final = 60.0
WORDS: Final = (
    "{people:,} people come within one second, while {labeling} others label, each with "
    "{think:g} s of thought on average. A browser loads the labeling page, then opens its "
    "WebSocket; styles and scripts are not part of it. In is who has the first query; who is "
    "told to come later does. Aim: all are in within {aim:g} s, and no connection ends without "
    "a word. The receipts are those of the others, in the {alone:g} s before, meanwhile, and in "
    "the {alone:g} s after. Web processes: {web}."
)
COLUMNS: Final = (
    "| server | they come as | in | in within {:g} s | p50 s | p99 s | last s | told to come later "
    "| without a word | ack p99 ms before | meanwhile | after | web CPU ms each |"
)


class Watched(Crowd):
    """A crowd that records each acknowledgement: its time (`perf_counter`, s) and delay (ms)."""

    receipts: list[tuple[float, float]]

    def acked(self, seconds: float) -> None:
        """Record that a label was acknowledged after `seconds`."""
        self.receipts.append((time.perf_counter(), seconds * 1000))


def label_until_told(load: Load, ends: Connection) -> None:
    """Label until a message comes over the pipe, then send the acknowledgements through it."""

    async def run() -> list[tuple[float, float]]:
        crowd = Watched(load)
        crowd.receipts = []
        labeling = asyncio.create_task(crowd.run())
        await asyncio.get_running_loop().run_in_executor(None, ends.recv)
        labeling.cancel()
        return crowd.receipts

    ends.send(asyncio.run(run()))


@contextmanager
def people_who_label(load: Load) -> Iterator[Connection]:
    """People who label in another process; a message ends it, and it sends acknowledgements."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=label_until_told, args=(load, theirs))
    process.start()
    try:
        yield ours
    finally:
        process.join(5.0)
        process.kill()


@dataclass(slots=True)
class Run:
    """The measurements of one crowd of newcomers.

    `acks`: p99 (ms) of the labeling people's acknowledgements before, during and after the arrival.
    `cpu_ms`: CPU time of the web processes per newcomer.
    """

    server: str
    kind: str
    arrived: Arrived
    acks: list[float]
    cpu_ms: float

    def row(self) -> str:
        """A line of the table."""
        told, seconds = self.arrived.told, sorted(self.arrived.seconds)
        soon = sum(each <= AIM_S for each in seconds)
        later = told.total() - told["in"] - self.arrived.silent
        before, meanwhile, after = self.acks
        return (
            f"| {self.server} | {self.kind} | {len(seconds):,} of {self.arrived.came:,} | {soon:,} "
            f"| {percentile(seconds, 50):.1f} | {percentile(seconds, 99):.1f} "
            f"| {percentile(seconds, 100):.1f} | {later:,} | {self.arrived.silent:,} "
            f"| {before:.0f} | {meanwhile:.0f} | {after:.0f} | {self.cpu_ms:.1f} |"
        )

    def holds(self) -> bool:
        """Whether the aim is met."""
        seconds = self.arrived.seconds
        all_in = len(seconds) == self.arrived.came and max(seconds) <= AIM_S
        return all_in and not self.arrived.silent


def measure(var: Path, server: str, kind: str, options: argparse.Namespace) -> Run:
    """Measure one crowd at a fresh web process."""
    slug = f"{SLUG}-{server}-{kind}"
    people = options.people
    stocked = place.stock(slug=slug, people=people + LABELING, queries=20_000)
    comers = arrivals(stocked, kind, people)
    path = f"/ws/campaigns/{slug}/label/"
    with place.web(var, asgi_server=server, processes=options.web) as (port, processes):
        load = Load(place.HOST, port, path, stocked.tokens[people:], stocked.choices)
        load.think_s, load.buffer = THINK_S, 3
        load.seconds = 2 * ALONE_S + PATIENCE_S
        with people_who_label(load) as pipe:
            time.sleep(load.warm_up_s + ALONE_S)
            began, cpu = time.perf_counter(), place.cpu_seconds(processes)
            arriving = Arriving(place.HOST, port, path)
            arrived = asyncio.run(
                arriving.run(comers, within_s=WITHIN_S, patience_s=PATIENCE_S, stay_s=1.0)
            )
            ended, cpu = time.perf_counter(), place.cpu_seconds(processes) - cpu
            time.sleep(ALONE_S)
            pipe.send("enough")
            receipts: list[tuple[float, float]] = pipe.recv()
    spans = (began - ALONE_S, began), (began, ended), (ended, ended + ALONE_S)
    acks = [
        percentile(sorted(ms for at, ms in receipts if first <= at < last), 99)
        for first, last in spans
    ]
    return Run(server, kind, arrived, acks, 1000 * cpu / people)


def arrivals(stocked: place.Stocked, kind: str, people: int) -> Sequence[Arrival]:
    """The newcomers: programs with tokens or browsers with sessions."""
    if kind == "programs":
        return [Arrival(token=token) for token in stocked.tokens[:people]]
    cookies = place.log_in(stocked.slug)[:people]
    return [Arrival(cookie=cookie, page=f"/c/{stocked.slug}/") for cookie in cookies]


def main() -> None:
    """Run, print and write the results; the exit status is 1 if an aim was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--web", type=int, default=1)
    parser.add_argument("--servers", nargs="+", default=["daphne", "uvicorn"])
    parser.add_argument("--kinds", nargs="+", default=["programs", "browsers"])
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder, place.database(Path(folder)):
        for server in options.servers:
            for kind in options.kinds:
                runs.append(measure(Path(folder), server, kind, options))
                print(runs[-1].row(), dict(runs[-1].arrived.told), file=sys.stderr, flush=True)
    load = os.getloadavg()[1]
    command = " ".join(["python", "benchmarks/arrivals.py", *sys.argv[1:]])
    words = WORDS.format(
        people=options.people, labeling=LABELING, think=THINK_S, web=options.web, aim=AIM_S,
        alone=ALONE_S,
    )  # fmt: skip
    columns = COLUMNS.format(AIM_S)
    rule = "|" + "---|" * (columns.count("|") - 1)
    head = f"`{command}` on {machine()}; all on the same cores; load of the machine {load:.1f}."
    report = "\n".join(
        ["# Arrivals", "", head, "", words, "", columns, rule, *(each.row() for each in runs), ""]
    )
    print(report)
    if not options.no_report:
        REPORT.write_text(report, encoding="utf-8")
    sys.exit(0 if all(each.holds() for each in runs) else 1)


if __name__ == "__main__":
    main()
