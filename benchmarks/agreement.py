"""Does a simulated campaign go as a real one does? The same arrangement of both, side by side.

First, real campaigns on the digits: web, database, server, workers, and simulated annotators over
the WebSocket. Then the lab, with the same arrangement and with the pace and durations measured in
the real campaigns. Compares accuracy over labels, and the staleness of queries.

    python benchmarks/agreement.py [--runs 3]

Prints the tables and writes them to docs/benchmarks/agreement.md. Takes about five minutes.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np
import torch

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from al_lab.config import settings  # noqa: E402
from al_lab.data import datasets  # noqa: E402
from al_lab.report.statistics import interval  # noqa: E402
from al_lab.simulation import answers, campaign  # noqa: E402
from benchmarks.figures import machine  # noqa: E402
from benchmarks.load import place  # noqa: E402

PAGE: Final = ROOT / "docs" / "benchmarks" / "agreement.md"
PEOPLE: Final = 50
THINK_S: Final = 4.0
LABELS: Final = 900
HELD: Final = 2
"""Turns a person holds: the image in view and the next one, which a newer model never replaces."""
POINTS: Final = (300, 400, 500, 600, 700, 800, 900)
STRATEGIES: Final = ("margin",)

_LABELS: Final = """
    SELECT l.answered_at, l.staleness, q.model_version_id
    FROM pools_label l JOIN pools_query q ON q.id = l.query_id
    WHERE l.campaign_id = %s ORDER BY l.answered_at
"""
_VERSIONS: Final = """
    SELECT v.published_at, v.labels_seen, v.train_seconds, v.accuracy,
           extract(epoch FROM (SELECT min(q.created_at) FROM pools_query q
                               WHERE q.model_version_id = v.id
                               -- The others were asked before it, and it would ask them, too.
                               AND q.created_at > v.published_at) - v.published_at)::float8
    FROM pools_modelversion v WHERE v.campaign_id = %s ORDER BY v.version
"""


@dataclass(frozen=True, slots=True)
class Real:
    """Figures of a real campaign, with labels numbered in the order of their answers.

    `at_random`: labels on queries without a model. `seconds`: from the first label to the last.
    `trainings`: labels and seconds of each. `scoring`: median seconds from a version's publication
    to its first query. `accuracy`: that of g* at each of POINTS. `staleness`: the mean over labels
    after the first of POINTS.
    """

    at_random: int
    seconds: float
    trainings: list[tuple[int, float]]
    scoring: float
    accuracy: list[float]
    staleness: float
    versions: int


@contextmanager
def site(var: Path) -> Iterator[str]:
    """A site with a new campaign of the digits; yields its WebSocket address."""
    with closing(socket.socket()) as free:
        free.bind((place.HOST, 0))
        port = free.getsockname()[1]
    arguments = [
        *("demo", "--fresh", f"--port={port}", "--set", "audit_rate=0"),
        *("--set", f"strategies={','.join(STRATEGIES)}"),
    ]
    running = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "NOWAIT_VAR": str(var)},
        stdout=subprocess.DEVNULL,
    )
    try:
        place.await_answer(port)
        yield f"ws://{place.HOST}:{port}"
    finally:
        running.terminate()
        running.wait(60)


def real(var: Path, slug: str) -> None:
    """Have a campaign labeled by simulated annotators over the WebSocket."""
    with site(var) as address:
        arguments = [
            *("run_annotators", slug, f"--count={PEOPLE}", f"--labels={LABELS}"),
            *(f"--think={THINK_S}", f"--buffer={HELD}", f"--url={address}", "--json"),
        ]
        subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**os.environ, "NOWAIT_VAR": str(var)},
            stdout=subprocess.DEVNULL,
            check=True,
        )


def read(campaign_id: int) -> Real:
    """The figures of a campaign, from the database."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_LABELS, [campaign_id])
        labels: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.execute(_VERSIONS, [campaign_id])
        versions: list[tuple[Any, ...]] = cursor.fetchall()
    accuracy = []
    for point in POINTS:
        when = labels[point - 1][0]
        there = [row for row in versions if row[0] <= when]
        accuracy.append(float(there[-1][3]))
    late = [row[1] for row in labels[POINTS[0] :] if row[2] is not None]
    return Real(
        at_random=sum(row[2] is None for row in labels),
        seconds=(labels[-1][0] - labels[0][0]).total_seconds(),
        trainings=[(row[1], row[2]) for row in versions],
        scoring=float(np.median([row[4] for row in versions if row[4] is not None])),
        accuracy=accuracy,
        staleness=fmean(late),
        versions=len(versions),
    )


def simulated(
    campaigns: list[Real], seed: int, data_set: datasets.DataSet
) -> tuple[list[float], float]:
    """The lab's accuracy of g* at POINTS and mean staleness, at the real campaigns' pace."""
    labels, seconds = np.array([each for one in campaigns for each in one.trainings]).T
    slope, base = np.polyfit(labels, seconds, 1)
    if slope < 0:  # possible because the smallest trainings all have the same number of steps
        slope, base = 0.0, float(seconds.mean())
    setting = settings.Setting(
        arm="as in the real campaigns",
        data=settings.Data("sklearn:digits", image_size=8),
        labels=settings.Labels(
            initial=round(fmean(one.at_random for one in campaigns)),
            budget=LABELS,
            evaluate_every=100,
        ),
        people=settings.People(
            count=PEOPLE,
            seconds_per_label=PEOPLE * fmean(one.seconds for one in campaigns) / LABELS,
            ahead=HELD - 1,
        ),
        clock=settings.Clock(
            training=float(base),
            training_per_label=float(slope),
            scoring=fmean(one.scoring for one in campaigns),
        ),
        arrangement=settings.Arrangement(servers=1, workers=10, strategies=STRATEGIES),
    )
    events: list[dict[str, Any]] = []
    asked: list[campaign.Asked] = []
    campaign.simulate(
        setting,
        seed=seed,
        data_set=data_set,
        answers=answers.answers_of(setting.people, data_set, None),
        device=torch.device("cpu"),
        record=events.append,
        progress=lambda done: None,
        watch=asked.append,
    )
    found = {each["labels"]: each for each in events if each["event"] == "evaluated"}
    at = sorted(found)
    newest = [found[each]["newest_accuracy"] for each in at]
    late = [(found[each]["staleness_mean"], each) for each in at if each > POINTS[0]]
    staleness = fmean(mean for mean, _ in late if mean is not None)
    return [float(np.interp(point, at, newest)) for point in POINTS], staleness


def page(campaigns: list[Real], simulations: list[tuple[list[float], float]], runs: int) -> str:
    """The report."""
    rows, outside = [], []
    for place_, point in enumerate(POINTS):
        ours = interval([each.accuracy[place_] for each in campaigns])
        theirs = interval([accuracy[place_] for accuracy, _ in simulations])
        inside = abs(ours.mean - theirs.mean) <= max(ours.half_width, theirs.half_width)
        if not inside:
            outside.append(point)
        rows.append(
            f"| {point} | {ours.mean:.1%} ± {ours.half_width:.1%} | {theirs.mean:.1%} ± "
            f"{theirs.half_width:.1%} | {'yes' if inside else 'no'} |"
        )
    stale = interval([each.staleness for each in campaigns])
    virtual = interval([staleness for _, staleness in simulations])
    off = virtual.mean / stale.mean - 1
    where = ", ".join(map(str, outside))
    return "\n".join(
        [
            "# A simulated campaign and a real one",
            "",
            f"`python benchmarks/agreement.py --runs {runs}` on {machine()}.",
            "",
            (
                f"{runs} real campaigns on the digits and {runs} simulated ones: {PEOPLE} people "
                f"who think {THINK_S:g} s on average and hold {HELD} images, one server, ten "
                f"workers, {', '.join(STRATEGIES)}, small_cnn at 8 px, {LABELS} labels. The "
                "lab was given the pace, the trainings' durations and the number of random "
                "labels at the start that the real ones had. Accuracy is that of the newest model "
                "of the moment, on images that are not in the pool; ± is half of a 95 % t-interval."
            ),
            "",
            "| labels | real | simulated | a mean lies in the other's interval |",
            "|---|---|---|---|",
            *rows,
            "",
            (
                f"Staleness, from label {POINTS[0]} on, in labels: {stale.mean:.0f} ± "
                f"{stale.half_width:.0f} in the real campaigns, {virtual.mean:.0f} ± "
                f"{virtual.half_width:.0f} in the simulated ones, {off:+.0%} (aim: within 25 %)."
            ),
            "",
            (
                f"Outside at {where} labels." if outside else "The curves agree at every point."
            ),
            "",
        ]
    )  # fmt: skip


def main() -> None:
    """Run real and simulated campaigns, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nowait-agreement-") as folder:
        var = Path(folder)
        var.chmod(0o711)  # run as root, PostgreSQL uses another account, which must pass through
        slugs = ["digits", *(f"digits-{number}" for number in range(2, options.runs + 1))]
        for slug in slugs:
            print(f"labeling {slug} …", file=sys.stderr)
            real(var, slug)
        with place.database(var):
            from al_engine.pools.models import Campaign

            campaigns = [read(Campaign.objects.get(slug=slug).pk) for slug in slugs]
        data_set = datasets.load(
            settings.Data("sklearn:digits", image_size=8), None, var / "images"
        )
        simulations = []
        for seed in range(options.runs):
            print(f"simulating seed {seed} …", file=sys.stderr)
            simulations.append(simulated(campaigns, seed, data_set))
    text = page(campaigns, simulations, options.runs)
    print(text)
    for each in campaigns:
        print(each, file=sys.stderr)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
