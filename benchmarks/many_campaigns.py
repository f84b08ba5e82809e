"""Do people wait where a machine has many campaigns, and what do those at rest cost?

Runs a real site (`up`: web, bundled PostgreSQL, one engine) with many campaigns of small images.
At a few of them simulated people arrive at once, after the site has come to rest. Measured are the
waits that these people felt, the time from the first of them until the processes of their campaign
were up, and the memory of all processes, shared pages counted once (PSS). Writes
docs/benchmarks/many_campaigns.md.

    python benchmarks/many_campaigns.py [--campaigns 100] [--busy 5] [--people 10] [--seconds 120]
"""

import argparse
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson
import psutil

ROOT = Path(__file__).resolve().parent.parent
# The site comes from the tests.
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from faults.site import Site, a_site  # noqa: E402

from benchmarks import kills  # noqa: E402
from benchmarks.figures import machine  # noqa: E402
from benchmarks.load import place  # noqa: E402

REPORT: Final = ROOT / "docs" / "benchmarks" / "many_campaigns.md"
PICTURES: Final = 200
AIM_MB: Final = 4_000
# Words of a command line, and what the process is.
KINDS: Final = {
    "run_engine": "engine",
    "run_worker": "filling S",
    "look": "looking at D",
    "run_server": "server",
    "run_embedder": "embedder",
    "annotator_site.asgi:application": "web",
    "up": "up",
}
_REST_S: Final = 900.0
_POLL_S: Final = 0.2
_MEMORY_EVERY_S: Final = 5.0

Memory = dict[str, tuple[int, float]]
"""By kind of process: how many, and their PSS in MB."""


@dataclass
class Arrival:
    """When a campaign's first person held a query, and when its processes were up; monotonic s."""

    came: float | None = None
    filled: float | None = None
    looked: float | None = None
    model: float | None = None


@dataclass
class Course:
    """What was seen while people labeled: arrivals by campaign id, the memory at its highest."""

    arrivals: dict[int, Arrival] = field(default_factory=lambda: defaultdict(Arrival))
    most: Memory = field(default_factory=dict)
    said: list[dict[str, Any]] = field(default_factory=list)


def add_campaigns(count: int, *, busy: int, images: int, busy_images: int) -> None:
    """Create campaigns `c1`, `c2` …, the first `busy` of them with more images."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    from al_engine.pools import campaigns
    from al_engine.pools.campaigns import NewChoice
    from al_engine.pools.images import NewImage, add_images, adding

    data = [kills._picture(number) for number in range(PICTURES)]
    for number in range(1, count + 1):
        campaign = campaigns.create_campaign(
            slug=f"c{number}",
            title=f"Campaign {number}",
            choices=[NewChoice(str(each)) for each in range(10)],
        )
        choices = list(campaign.choices.values_list("id", flat=True))
        keys = [
            default_storage.save(f"images/c{number}/{place}.png", ContentFile(each))
            for place, each in enumerate(data[:30])
        ]
        with adding(campaign_id=campaign.pk):
            new = [
                NewImage(
                    # Images share files here, so digests come from their numbers.
                    sha256=sha256(f"{number} {place}".encode()).hexdigest(),
                    name=f"{place}.png",
                    key=keys[place % len(keys)],
                    width=8,
                    height=8,
                    size=len(data[place % len(keys)]),
                    known_choice_id=choices[place % len(keys) % 10],
                )
                for place in range(busy_images if number <= busy else images)
            ]
            add_images(campaign_id=campaign.pk, split="pool", images=new)


def memory(site: Site) -> Memory:
    """The memory of all processes of a site, without the people's."""
    found: dict[str, list[float]] = defaultdict(list)
    for process in site.all_processes():
        with suppress(psutil.Error, OSError):
            words = process.cmdline()
            if "run_annotators" in words:
                continue
            kinds = [kind for word, kind in KINDS.items() if word in words]
            found[kinds[0] if kinds else "PostgreSQL"].append(_pss_mb(process.pid))
    return {kind: (len(each), sum(each)) for kind, each in found.items()}


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def total(found: Memory) -> tuple[int, float]:
    """All processes, and their memory in MB."""
    return sum(count for count, _ in found.values()), sum(mb for _, mb in found.values())


def is_at_rest(site: Site, campaigns: int) -> bool:
    """Whether every campaign has queries and none has a process."""
    ((stocked,),) = site.rows("SELECT count(DISTINCT campaign_id) FROM pools_turn")
    busy = (*site.find("run_worker"), *site.find("run_server"), *site.find("run_embedder"))
    return stocked == campaigns and not busy


def crowds(site: Site, options: argparse.Namespace) -> list[subprocess.Popen[bytes]]:
    """People who come to the busy campaigns, all at once."""
    return [
        site.popen(
            *("run_annotators", f"c{number}", f"--count={options.people}", "--json"),
            *(f"--think={options.think}", f"--seconds={options.seconds}"),
            f"--url=ws://127.0.0.1:{site.port}",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        for number in range(1, options.busy + 1)
    ]


def watch(site: Site, people: list[subprocess.Popen[bytes]], course: Course) -> None:
    """Record arrivals and memory until everybody has left."""
    measured = float("-inf")
    ((began,),) = site.rows("SELECT now()")
    while any(each.poll() is None for each in people):
        now = time.monotonic()
        _note_arrivals(site, course.arrivals, began, now)
        if now - measured >= _MEMORY_EVERY_S:
            measured = now
            found = memory(site)
            if total(found)[1] > total(course.most)[1]:
                course.most = found
        time.sleep(_POLL_S)
    for each in people:
        assert each.stdout is not None
        course.said.append(orjson.loads(each.stdout.read()))


def _note_arrivals(site: Site, arrivals: dict[int, Arrival], began: Any, now: float) -> None:
    rows = site.rows(
        """SELECT c.id,
                  EXISTS (SELECT 1 FROM pools_turn a WHERE a.campaign_id = c.id
                          AND a.state IN ('leased', 'answered')),
                  p.filled, p.looked,
                  EXISTS (SELECT 1 FROM pools_modelversion v WHERE v.campaign_id = c.id)
           FROM pools_campaign c CROSS JOIN LATERAL (
               SELECT count(*) > 0 AS filled,
                      coalesce(bool_or(p.state <> 'starting'), false) AS looked
               FROM pools_engineprocess p
               WHERE p.campaign_id = c.id AND p.role = 'worker' AND p.state <> 'stopped'
                 AND p.started_at > %(began)s) p""",
        began=began,
    )
    for campaign_id, came, filled, looked, model in rows:
        if not came:
            continue
        arrival = arrivals[campaign_id]
        arrival.came = arrival.came or now
        arrival.filled = arrival.filled or (now if filled else None)
        arrival.looked = arrival.looked or (now if looked else None)
        arrival.model = arrival.model or (now if model else None)


def main() -> None:
    """Run, print and write the results; the exit status is 1 if somebody had no image ready."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaigns", type=int, default=100)
    parser.add_argument("--busy", type=int, default=5, help="campaigns with people")
    parser.add_argument("--people", type=int, default=10, help="people at each of these")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--think", type=float, default=1.0, help="seconds of thought, on average")
    parser.add_argument("--images", type=int, default=200, help="images of a campaign at rest")
    parser.add_argument("--busy-images", type=int, default=3_000)
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    course = Course()
    with a_site() as site:
        with place.database(site.var):
            add_campaigns(
                options.campaigns,
                busy=options.busy,
                images=options.images,
                busy_images=options.busy_images,
            )
        began = time.monotonic()
        site.start("up")
        while not is_at_rest(site, options.campaigns):
            assert time.monotonic() - began < _REST_S, "they do not come to rest"
            time.sleep(1.0)
        rested = time.monotonic() - began
        time.sleep(5)
        before = memory(site)
        watch(site, crowds(site, options), course)
        told = "\n".join(site.stop())
        if "Traceback" in told:
            print(told, file=sys.stderr)
    text = _report(options, rested, before, course)
    print(text)
    if not options.no_report:
        REPORT.write_text(text, encoding="utf-8")
    sys.exit(1 if any(each["dry"] for each in course.said) else 0)


def _report(options: argparse.Namespace, rested: float, before: Memory, course: Course) -> str:
    command = " ".join(["python", "benchmarks/many_campaigns.py", *sys.argv[1:]])
    labels = sum(each["labels"] for each in course.said)
    return "\n".join(
        [
            "# Many campaigns on one machine",
            "",
            f"`{command}` on {machine()}; the simulated annotators run on the same cores.",
            "",
            (
                f"{options.campaigns} campaigns, {options.busy} of them with {options.people} "
                f"people each, who all came at once to a site at rest and gave {labels:,} labels "
                f"in {options.seconds:.0f} s. From the start of `up` until all campaigns "
                f"rested with queries in S, where none were before: {rested:.0f} s."
            ),
            "",
            *_waits(course),
            "",
            "PSS: memory in which a page that several processes share counts once in all.",
            "",
            *_memories(before, course.most),
            "",
        ]
    )


def _waits(course: Course) -> list[str]:
    lines = [
        (
            "| campaign | labels | no image was ready | after the first second "
            "| longest wait ms | first image ms "
            "| S is filled after s | torch is loaded after s | first model after s |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for said, (campaign, arrival) in zip(course.said, sorted(course.arrivals.items()), strict=True):
        came = arrival.came or 0.0
        times = [
            "-" if at is None else f"{at - came:.1f}"
            for at in (arrival.filled, arrival.looked, arrival.model)
        ]
        lines.append(
            f"| c{campaign} | {said['labels']:,} "
            f"| {said['dry']} | {said['dry_after_first_second']} "
            f"| {said['wait_ms']['max']:.0f} | {said['first_query_ms']['max']:.0f} "
            f"| {' | '.join(times)} |"
        )
    return lines


def _memories(before: Memory, most: Memory) -> list[str]:
    lines = ["| processes | at rest | MB | at work | MB |", "|---|---|---|---|---|"]
    kinds = Counter({kind: mb for kind, (_, mb) in most.items()})
    for kind, _ in kinds.most_common():
        lines.append(f"| {kind} | {_cells(before.get(kind))} | {_cells(most[kind])} |")
    lines.append(f"| **all** | {_cells(total(before))} | {_cells(total(most))} |")
    return lines


def _cells(found: tuple[int, float] | None) -> str:
    count, mb = found or (0, 0.0)
    return f"{count} | {mb:,.0f}"


if __name__ == "__main__":
    main()
