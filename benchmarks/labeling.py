"""How many labels a second, how soon, and beside what: one table of ratios from one run.

In each round every server runs alone beside the load generator: first bare echoes, the upper bound
for a server, then the labeling path on the real schema with a full query pool. Then come a thousand
and ten thousand people who think. Prints the tables and writes them to docs/benchmarks/.

    python benchmarks/labeling.py [--rounds 3] [--only closed|thinking|peer] [--peer label-studio]
"""

import argparse
import asyncio
import platform
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import machine, percentile  # noqa: E402
from benchmarks.load import place  # noqa: E402
from benchmarks.load.crowd import Crowd, Figures, Load  # noqa: E402
from benchmarks.load.echo_crowd import echo  # noqa: E402

REPORT = ROOT / "docs" / "benchmarks" / "labeling.md"
SERVERS = ("daphne", "uvicorn")
CROWDS = (64, 500)
ECHO = "benchmarks.load.echo"
AIMS = {64: 0.9, 500: 1.3}
COMMITS = "Bare commits of one row: {one:,.0f} a second over one connection, {many:,.0f} over 16."
PEER_CROWDS = (1, 8, 32)
PEER_CACHE = Path.home() / ".cache" / "nowait" / "peers"
PEER_COLUMNS = (
    "| people | Label Studio labels/s | Nowait labels/s | times as many | Label Studio p99 ms "
    "| Nowait p99 ms | times as fast |"
)
PEER_WORDS = (
    "Both without thinking time, from submitting to having the next in hand; what runs and how is "
    "in [label_studio.md](label_studio.md)."
)
CLOSED_COLUMNS = (
    "| server | people | raw echo/s | stock echo/s | labels/s | labels : stock echo "
    "| labels : raw echo | aim | ack p99 ms |"
)
THINKING_COLUMNS = (
    "| server | people | think s | images | labels/s | dry waits | ack p50 ms | ack p99 ms "
    "| images/s | image p99 ms | web MiB | web CPU | problems |"
)


def play(load: Load) -> Figures:
    """Run a crowd to its end."""

    async def run() -> Figures:
        return await Crowd(load).run()

    return asyncio.run(run())


def commits_per_second(*, connections: int, seconds: float) -> float:
    """Durable one-row transactions per second of the same database."""
    import psycopg

    from al_engine.pools import signals

    async def run() -> float:
        done = 0

        async def commit(until: float) -> None:
            nonlocal done
            async with await psycopg.AsyncConnection.connect(
                **signals.connection_info(), autocommit=True
            ) as conn:
                while time.perf_counter() < until:
                    await conn.execute("INSERT INTO bench_commit VALUES (1)", prepare=True)
                    done += 1

        began = time.perf_counter()
        await asyncio.gather(*(commit(began + seconds) for _ in range(connections)))
        return done / (time.perf_counter() - began)

    with psycopg.connect(**signals.connection_info(), autocommit=True) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS bench_commit (n int)")
    return asyncio.run(run())


class Bench:
    """The runs of one invocation."""

    def __init__(self, var: Path, options: argparse.Namespace) -> None:
        self.var = var
        self.options = options
        self.stocked: place.Stocked

    def closed_loop(self) -> str:
        """Echoes and labels without thinking time."""
        rates: dict[tuple[str, str, int], list[float]] = {}
        latencies: dict[tuple[str, str, int], list[float]] = {}
        for number in range(self.options.rounds):
            for server in self.options.servers:
                for what in ("raw echo", "stock echo", "labels"):
                    for people in CROWDS:
                        figures = self._closed(server, what, people)
                        rates.setdefault((server, what, people), []).append(figures.per_second)
                        latencies.setdefault((server, what, people), []).append(
                            percentile(sorted(figures.acks_ms), 99)
                        )
                        print(
                            f"round {number + 1}: {server} {what}, {people} people: "
                            f"{figures.per_second:,.0f}/s {dict(figures.problems) or ''}",
                            file=sys.stderr,
                        )
        lines = [
            CLOSED_COLUMNS,
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for server in self.options.servers:
            for people in CROWDS:
                raw, stock, ours = (
                    median(rates[server, what, people])
                    for what in ("raw echo", "stock echo", "labels")
                )
                aim = f"{AIMS[people]} of stock" if server == "daphne" else "–"
                lines.append(
                    f"| {server} | {people} | {raw:,.0f} | {stock:,.0f} | {ours:,.0f} "
                    f"| {ours / stock:.2f} | {ours / raw:.2f} | {aim} "
                    f"| {median(latencies[server, 'labels', people]):.1f} |"
                )
        return "\n".join(lines)

    def _closed(self, server: str, what: str, people: int) -> Figures:
        application = {
            "raw echo": f"{ECHO}:raw",
            "stock echo": f"{ECHO}:stock",
            "labels": None,
        }[what]
        with place.web(self.var, asgi_server=server, application=application) as (port, _):
            if what == "labels":
                return play(
                    Load(
                        place.HOST,
                        port,
                        f"/ws/campaigns/{self.stocked.slug}/label/",
                        self.stocked.tokens[:people],
                        self.stocked.choices,
                        seconds=self.options.seconds,
                    )
                )
            return asyncio.run(
                echo(place.HOST, port, people, seconds=self.options.seconds, warm_up_s=1.0)
            )

    def thinking(self) -> str:
        """Many people who think, without and with fetching their images."""
        lines = [
            THINKING_COLUMNS,
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        ]
        server = self.options.servers[0]
        for people, think_s in ((1_000, 1.0), (10_000, 5.0)):
            for with_images in (False, True):
                line = self._thinking(server, people, think_s, with_images)
                print(line, file=sys.stderr)
                lines.append(line)
        return "\n".join(lines)

    def _thinking(self, server: str, people: int, think_s: float, with_images: bool) -> str:
        seconds = self.options.seconds + 2 * think_s
        with place.web(self.var, asgi_server=server) as (port, processes):
            began = place.cpu_seconds(processes)
            figures = play(
                Load(
                    place.HOST,
                    port,
                    f"/ws/campaigns/{self.stocked.slug}/label/",
                    self.stocked.tokens[:people],
                    self.stocked.choices,
                    think_s=think_s,
                    buffer=self.options.buffer,
                    seconds=seconds,
                    warm_up_s=3 + think_s,
                    fetchers=min(people, 1_000) if with_images else 0,
                )
            )
            memory = sum(each.memory_info().rss for each in processes) / 2**20
            whole = figures.connect_s + seconds + 3 + think_s
            cpu = (place.cpu_seconds(processes) - began) / whole
        problems = ", ".join(f"{n} × {what}" for what, n in figures.problems.items()) or "none"
        p50, p99 = (percentile(sorted(figures.acks_ms), percent) for percent in (50, 99))
        images = "– | –"
        if with_images:
            image_p99 = percentile(sorted(figures.images_ms), 99)
            images = f"{figures.images / figures.seconds:,.0f} | {image_p99:.1f}"
        return (
            f"| {server} | {people:,} | {think_s:g} | {'all' if with_images else 'none'} "
            f"| {figures.per_second:,.0f} | {figures.dry} | {p50:.1f} "
            f"| {p99:.1f} | {images} | {memory:.0f} | {cpu:.0%} "
            f"| {problems} |"
        )

    def peer(self) -> str:
        """Label Studio and Nowait, each under the same closed loop."""
        from benchmarks.peers.label_studio import measure

        theirs = measure(PEER_CROWDS, seconds=20.0, cache=PEER_CACHE)
        lines = [PEER_COLUMNS, "|---|---|---|---|---|---|---|"]
        for each in theirs.figures:
            ours = self._closed("daphne", "labels", each.people)
            p99 = percentile(sorted(ours.acks_ms), 99)
            lines.append(
                f"| {each.people} | {each.labels_per_second:.1f} | {ours.per_second:,.0f} "
                f"| {ours.per_second / each.labels_per_second:,.0f} | {each.next_p99_ms:,.0f} "
                f"| {p99:.1f} | {each.next_p99_ms / p99:,.0f} |"
            )
        return "\n".join(lines)


def main() -> None:
    """Run the parts asked for; print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--buffer", type=int, default=5)
    parser.add_argument("--queries", type=int, default=600_000, help="open queries at the start")
    parser.add_argument("--only", choices=("closed", "thinking", "peer"))
    parser.add_argument("--peer", choices=("label-studio",), help="measured beside ours")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    parts: list[str] = []
    with tempfile.TemporaryDirectory(prefix="nowait-load-") as folder:
        var = Path(folder)
        with place.database(var):
            bench = Bench(var, options)
            bench.stocked = place.stock(slug="load", people=10_000, queries=options.queries)
            print("The query pool is full.", file=sys.stderr)
            if options.only in (None, "closed"):
                one, many = (commits_per_second(connections=n, seconds=3) for n in (1, 16))
                parts += [
                    "## Without thinking time",
                    COMMITS.format(one=one, many=many),
                    bench.closed_loop(),
                ]
            if options.only in (None, "thinking"):
                parts += ["## People who think", bench.thinking()]
            if options.peer:
                parts += ["## Beside Label Studio", PEER_WORDS, bench.peer()]
    text = "\n\n".join(["# Labeling", _words(), *parts]) + "\n"
    print(text)
    if not options.no_report:
        REPORT.write_text(text, encoding="utf-8")


def _words() -> str:
    return (
        f"`{' '.join(['python', 'benchmarks/labeling.py', *sys.argv[1:]])}` on {machine()}, "
        f"Python {platform.python_version()}; the load generator and PostgreSQL run on the "
        "same cores. Medians of the rounds."
    )


if __name__ == "__main__":
    main()
