"""Sections of every report: staleness, versions per minute, who chose what."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any, Final

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown
from al_lab.report.arm_styles import by_data, line_styles, place_title, rows_of
from al_lab.report.figure_choice import Figure, Part
from al_lab.report.figures import Drawing, Series
from al_lab.report.layout import Cell, Layout, Place
from al_lab.report.naming import file_name
from al_lab.report.statistics import interval
from al_lab.results import Run

_STALENESS: Final = (
    "Staleness is how many labels the model behind a query did not know when it was answered. Age "
    "is how long ago the query was chosen. Means over the seeds."
)


def report_staleness(layout: Layout, _: Experiment) -> list[Part]:
    """How old the models behind the queries were: figures over the run, and a table."""
    figures = [
        Figure(
            file_name("staleness", data if len(by_data(layout)) > 1 else ""),
            f"Staleness over the run, {data}. {markdown.lines(layout.arms)}",
            partial(_draw_staleness, layout, places),
        )
        for data, places in by_data(layout)
    ]
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

    return [_STALENESS, *figures, markdown.table(header, rows_of(layout, told))]


def _draw_staleness(layout: Layout, places: Sequence[Place]) -> Drawing:
    drawing, styles = Drawing(len(places), words=layout.arms), line_styles(layout)
    for panel, place in enumerate(places):
        lines = [
            Series(
                *(cell.arm, *_over_labels(cell), styles[cell.arm].color),
                marker=styles[cell.arm].marker,
                dashed=styles[cell.arm].dashed,
            )
            for cell in layout.at(place)
        ]
        title = place_title(layout, place)
        drawing.lines(panel, lines, title=title, across="labels", up="staleness, labels")
    return drawing


def report_versions(layout: Layout, _: Experiment) -> list[Part]:
    """How often the model was renewed."""
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
    return ["Times are of the virtual clock; means over the seeds.", table]


def report_choices(layout: Layout, _: Experiment) -> list[Part]:
    """Whose choice the labels were, and what they are worth."""
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
    return [
        (
            "Whose choice the labels were, in percent of those that were asked for; `random` is "
            "also what is asked before there is a model. Means over the seeds."
        ),
        markdown.table(header, rows_of(layout, told)),
    ]


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
    """A value of the event `finished` of each run that has it."""
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
