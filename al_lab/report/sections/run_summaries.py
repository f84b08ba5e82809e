"""What every report tells of its runs: staleness, versions per minute, who chose what."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown
from al_lab.report.arm_styles import by_data, looks, place_title, rows_of
from al_lab.report.figures import Drawing, Series
from al_lab.report.layout import Cell, Layout
from al_lab.report.naming import file_name
from al_lab.report.statistics import interval
from al_lab.results import Run

_STALENESS: Final = (
    "Staleness is how many labels the model behind a query did not know when it was answered. Age "
    "is how long ago the query was chosen. Means over the seeds."
)


def staleness(layout: Layout, _: Experiment, folder: Path) -> str:
    """The section: how old the models behind the queries were; a figure over the run, a table."""
    parts = [_STALENESS]
    look = looks(layout)
    for data, places in by_data(layout):
        drawing = Drawing(len(places), words=layout.arms)
        for panel, place in enumerate(places):
            lines = [
                Series(
                    *(cell.arm, *_over_labels(cell), look[cell.arm].colour),
                    marker=look[cell.arm].marker,
                    dashed=look[cell.arm].dashed,
                )
                for cell in layout.at(place)
            ]
            title = place_title(layout, place)
            drawing.lines(panel, lines, title=title, across="labels", up="staleness, labels")
        name = file_name("staleness", data if len(by_data(layout)) > 1 else "")
        drawing.save(folder, name)
        parts.append(f"![Staleness over the run, {data}]({name}.svg)")
    header = [
        "arm",
        "mean",
        "median",
        "p99",
        "age, mean",
        "by the newest or second newest model",
        "waits for an image",
        "… longest of 99 %",
    ]

    def told(cell: Cell) -> list[str]:
        return [
            _number(cell, "staleness", "mean"),
            _number(cell, "staleness", "p50"),
            _number(cell, "staleness", "p99"),
            _seconds(cell, "age_seconds", "mean"),
            _percent(_finished(cell, "newest_share")),
            _number(cell, "waits", "count"),
            _seconds(cell, "waits", "p99"),
        ]

    return "\n\n".join([*parts, markdown.table(header, rows_of(layout, told))])


def versions(layout: Layout, _: Experiment, __: Path) -> str:
    """The section: how often the model was renewed."""
    header = [
        "arm",
        "versions",
        "a minute",
        "a training",
        "labels that a version lacked when it came",
        "the campaign took",
    ]

    def told(cell: Cell) -> list[str]:
        return [
            _number(cell, "versions"),
            markdown.digits(fmean(per_minute(run) for run in cell.runs)),
            markdown.seconds(_over_versions(cell, lambda event: event["train_seconds"])),
            markdown.number(
                _over_versions(cell, lambda event: event["labels_now"] - event["labels_seen"])
            )
            if any(run.versions for run in cell.runs)
            else "–",
            _seconds(cell, "at"),
        ]

    table = markdown.table(header, rows_of(layout, told))
    return f"Of the virtual clock; means over the seeds.\n\n{table}"


def chosen(layout: Layout, _: Experiment, __: Path) -> str:
    """The section: whose choice the labels were, and what they are worth."""
    names = list(
        dict.fromkeys(
            name for cell in layout.cells for run in cell.runs for name in run.finished["chosen_by"]
        )
    )

    def told(cell: Cell) -> list[str]:
        return [
            *(_share_chosen(cell, name) for name in names),
            _number(cell, "labels"),
            _number(cell, "distinct"),
            _number(cell, "wrong"),
        ]

    header = ["arm", *(f"`{name}`" for name in names), "labels", "different images", "wrong labels"]
    return (
        "Whose choice the labels were, in percent of those that were asked for; `random` is also "
        "what is asked before there is a model. Means over the seeds.\n\n"
        + markdown.table(header, rows_of(layout, told))
    )


def per_minute(run: Run) -> float:
    """Versions a minute of the virtual clock."""
    return 60 * float(run.finished["versions"]) / (float(run.finished["at"]) or float("inf"))


def _over_labels(cell: Cell) -> tuple[list[float], list[float]]:
    """Labels, and the mean over the runs of the staleness since the evaluation before."""
    found: dict[int, list[float]] = {}
    for run in cell.runs:
        for event in run.evaluated:
            if event["staleness_mean"] is not None:
                found.setdefault(event["labels"], []).append(float(event["staleness_mean"]))
    labels = sorted(found)
    return [float(at) for at in labels], [fmean(found[at]) for at in labels]


def _finished(cell: Cell, *path: str) -> list[float]:
    """What the ends of the runs say, where they say it."""
    found = []
    for run in cell.runs:
        value: Any = run.finished
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            found.append(float(value))
    return found


def _number(cell: Cell, *path: str) -> str:
    found = _finished(cell, *path)
    return markdown.digits(fmean(found)) if found else "–"


def _seconds(cell: Cell, *path: str) -> str:
    found = _finished(cell, *path)
    return markdown.seconds(fmean(found)) if found else "–"


def _percent(found: Sequence[float]) -> str:
    return markdown.percent(interval(found)) + " %" if found else "–"


def _over_versions(cell: Cell, read: Callable[[Mapping[str, Any]], float]) -> float:
    found = [float(read(event)) for run in cell.runs for event in run.versions]
    return fmean(found) if found else float("nan")


def _share_chosen(cell: Cell, name: str) -> str:
    shares = []
    for run in cell.runs:
        by = run.finished["chosen_by"]
        shares.append(100 * by.get(name, 0) / (sum(by.values()) or 1))
    return f"{fmean(shares):.1f}" if any(shares) else ""
