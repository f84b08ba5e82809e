"""Photographs from an empty folder of state to a few hundred labels, with all defaults.

Class folders of photographs, most of them for the pool, are imported into a new campaign of a new
site while people label from the first image on. Prints when what was there, the accuracy by labels
and what people felt, and writes it to docs/benchmarks/photographs.md.

    python benchmarks/photographs.py --data ZIP [--people 5] [--think 2] [--seconds 240]
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.figures import machine, percentile  # noqa: E402
from benchmarks.load import place  # noqa: E402
from benchmarks.load.crowd import Crowd, Figures, Load  # noqa: E402
from benchmarks.whole_system import site  # noqa: E402

REPORT: Final = ROOT / "docs" / "benchmarks" / "photographs.md"
SLUG: Final = "photographs"
SHOWN_LABELS: Final = (25, 50, 100, 200, 300, 400, 600, 800)
# What is waited for: whether it is so.
_MOMENTS: Final = {
    "S has the first query, so people can label": "SELECT FROM pools_query WHERE campaign_id = %s",
    "S has a query chosen for what its image shows": "SELECT FROM pools_query "
    "WHERE campaign_id = %s AND purpose = 'active' AND strategy <> 'random'",
    "the first model is published": "SELECT FROM pools_modelversion WHERE campaign_id = %s",
    "S has a query chosen by a model": "SELECT FROM pools_query "
    "WHERE campaign_id = %s AND model_version_id IS NOT NULL",
}


class Truth(Mapping[int, int]):
    """The true class by image id, read when asked for: images come while people label."""

    def __init__(self) -> None:
        import psycopg

        from al_engine.pools.signals import connection_info

        self._known: dict[int, int] = {}
        self._connection = psycopg.connect(**connection_info(), autocommit=True)

    def __getitem__(self, image_id: int) -> int:
        if image_id not in self._known:
            row = self._connection.execute(
                "SELECT known_choice_id FROM pools_image WHERE id = %s", [image_id]
            ).fetchone()
            if row is None or row[0] is None:
                raise KeyError(image_id)
            self._known[image_id] = int(row[0])
        return self._known[image_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


@dataclass(slots=True)
class Course:
    """What was there when, in seconds from the start of the site, in the order of time."""

    began: float = field(default_factory=time.monotonic)
    moments: list[tuple[float, str]] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Add a moment: now."""
        seconds = time.monotonic() - self.began
        self.moments.append((seconds, what))
        print(f"{seconds:7.1f} s  {what}", file=sys.stderr, flush=True)


def unpack(data: Path, folder: Path, *, holdout: int, images: int) -> tuple[Path, Path]:
    """Class folders for the pool (at most `images`) and the holdout, drawn at random."""
    with zipfile.ZipFile(data) as archive:
        suffixes = (".jpg", ".jpeg", ".png")
        names = [name for name in archive.namelist() if name.lower().endswith(suffixes)]
        random.Random(1).shuffle(names)  # noqa: S311 - a draw of photographs
        parts = {"holdout": names[:holdout], "pool": names[holdout : holdout + images]}
        for part, chosen in parts.items():
            for name in chosen:
                file = folder / part / Path(name).parent.name / Path(name).name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(archive.read(name))
    return folder / "pool", folder / "holdout"


def a_campaign(classes: list[str], people: int) -> tuple[Any, list[str]]:
    """A running campaign with the default settings, and the tokens of its people."""
    from al_engine.pools import campaigns
    from al_engine.pools.models import Campaign

    campaign = campaigns.create_campaign(
        slug=SLUG, title="Photographs", choices=[campaigns.NewChoice(name) for name in classes]
    )
    tokens = place.add_people(campaign, people)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.RUNNING)
    return campaign, tokens


def label(port: int, campaign: Any, tokens: list[str], options: argparse.Namespace) -> Figures:
    """Let the people label for `options.seconds`, from the first image on."""
    load = Load(
        place.HOST,
        port,
        f"/ws/campaigns/{campaign.slug}/label/",
        tokens,
        tuple(campaign.choices.values_list("id", flat=True)),
        truth=Truth(),
        think_s=options.think,
        buffer=3,
        seconds=options.seconds,
        warm_up_s=0.0,
    )

    async def run() -> Figures:
        return await Crowd(load).run()

    return asyncio.run(run())


def watch(
    campaign_id: int, course: Course, imported: threading.Event, over: threading.Event
) -> None:
    """Note the moments as they come, in a thread, until `over` is set."""
    from django.db import connection

    from al_engine.pools import readings

    awaited = dict(_MOMENTS)
    is_embedded = False
    while not over.wait(0.1):
        with connection.cursor() as cursor:
            for what, statement in list(awaited.items()):
                cursor.execute(f"SELECT EXISTS ({statement})", [campaign_id])
                if cursor.fetchone() == (True,):
                    del awaited[what]
                    course.note(what)
        if imported.is_set() and not is_embedded:
            rows = readings.read_processes(campaign_id=campaign_id)
            is_embedded = any(row.state.endswith("images are embedded") for row, _ in rows)
            if is_embedded:
                course.note("all images are embedded")
    connection.close()


def accuracies(campaign_id: int) -> list[tuple[int, float]]:
    """(labels, accuracy on the holdout) of the first version with so many labels."""
    from al_engine.pools.models import ModelVersion

    found = []
    versions = ModelVersion.objects.filter(campaign_id=campaign_id, accuracy__isnull=False)
    for labels in SHOWN_LABELS:
        row = versions.filter(labels_seen__gte=labels).order_by("version").first()
        if row is not None and row.accuracy is not None:
            found.append((row.labels_seen, row.accuracy))
    return found


def run(var: Path, options: argparse.Namespace) -> str:
    """One run; returns the page of the report."""
    from annotator_site.importing.image_import import import_images

    pool, holdout = unpack(
        options.data, var / "photographs", holdout=options.holdout, images=options.images
    )
    course = Course()
    with site(var) as port:
        course.note("the site answers")
        classes = sorted(each.name for each in pool.iterdir())
        campaign, tokens = a_campaign(classes, options.people)
        imported, over = threading.Event(), threading.Event()

        def fill() -> None:
            from django.db import connection

            import_images(campaign=campaign, source=holdout, split="holdout", known="folder")
            report = import_images(campaign=campaign, source=pool, known="folder")
            course.note(f"{report.added:,} images are imported")
            imported.set()
            connection.close()

        threads = [
            threading.Thread(target=fill),
            threading.Thread(target=watch, args=(campaign.pk, course, imported, over)),
        ]
        for thread in threads:
            thread.start()
        figures = label(port, campaign, tokens, options)
        over.set()
        for thread in threads:
            thread.join()
        return page(campaign.pk, course, figures, options)


def page(campaign_id: int, course: Course, figures: Figures, options: argparse.Namespace) -> str:
    """The report of a run, in Markdown."""
    from al_engine.pools.models import Campaign

    campaign = Campaign.objects.get(pk=campaign_id)
    waits = sorted(figures.waits_ms)
    versions, seconds, stale = of_the_engine(campaign_id)
    lines = [
        "# Photographs, from nothing",
        "",
        (
            f"`python benchmarks/photographs.py --data {options.data.name} "
            f"--people {options.people} --think {options.think:g} --seconds {options.seconds:g}` "
            f"on {machine()}: "
            f"{options.people} people who think {options.think:g} s label correctly from the first "
            "image on, while class folders are imported; all settings are the defaults. The site, "
            "the engine, the import and the people share the cores."
        ),
        "",
        (
            f"Chosen network: {campaign.model_architecture} at {campaign.model_image_size} px. "
            f"{figures.labels:,} labels in {figures.seconds:.0f} s, {figures.dry} dry waits, wait "
            f"p99 {percentile(waits, 99):.1f} ms, longest {max(waits, default=0):.0f} ms. "
            f"{versions} versions, from reading labels to publishing {seconds:.2f} s (median). "
            f"Mean staleness {stale:.1f} labels."
        ),
        "",
        "| seconds | what |",
        "|---:|---|",
        *(f"| {at:.1f} | {what} |" for at, what in sorted(course.moments)),
        "",
        "| labels | accuracy on the holdout |",
        "|---:|---:|",
        *(f"| {labels:,} | {accuracy:.1%} |" for labels, accuracy in accuracies(campaign_id)),
        "",
    ]
    return "\n".join(lines)


def of_the_engine(campaign_id: int) -> tuple[int, float, float]:
    """Published versions, the median seconds of their making, and mean staleness in labels."""
    from django.db.models import Avg

    from al_engine.pools.models import Label, ModelVersion

    versions = ModelVersion.objects.filter(campaign_id=campaign_id)
    seconds = sorted(versions.values_list("train_seconds", flat=True))
    labels = Label.objects.filter(campaign_id=campaign_id, staleness__isnull=False)
    stale = labels.aggregate(mean=Avg("staleness"))["mean"]
    return len(seconds), percentile(seconds, 50), float(stale or 0.0)


def main() -> None:
    """Run it; print the page and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a zip of class folders")
    parser.add_argument("--images", type=int, default=2_000, help="images in the pool, at most")
    parser.add_argument("--holdout", type=int, default=500)
    parser.add_argument("--people", type=int, default=5)
    parser.add_argument("--think", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=240.0)
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nowait-photographs-") as folder:
        var = Path(folder)
        var.chmod(0o711)  # run as root, PostgreSQL uses another account, which must pass through
        os.environ["NOWAIT_VAR"] = str(var)
        with place.database(var):
            text = run(var, options)
    print(text)
    if not options.no_report:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
