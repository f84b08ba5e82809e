"""Accuracy over labels and over the virtual clock, against random: the paper's Figure 2."""

from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Final

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown
from al_lab.report.arm_styles import (
    LineStyle,
    baseline,
    by_data,
    line_styles,
    place_title,
    series,
)
from al_lab.report.figure_choice import Figure, Part
from al_lab.report.figures import Drawing, Series, limits_of
from al_lab.report.layout import Cell, Layout, Place, shared
from al_lab.report.measures import (
    cell_curve,
    common_labels,
    difference,
    differences_along,
    end,
    late,
    late_height,
    mean,
    mean_height,
    paired_curves,
)
from al_lab.report.naming import file_name
from al_lab.report.sections.random_baseline import judge_against_random
from al_lab.report.statistics import Interval, crossings, interval

_UNITS: Final = (("hours", 3600.0), ("minutes", 60.0))
_MIN_UNITS_ON_CLOCK: Final = 3
"""A clock's axis has the largest unit of which the campaign took at least so many."""

_OPENING: Final = (
    "Accuracy on test images of a model trained on exactly the labels that an arm had asked for, "
    "with the same recipe and seed for all arms, so that nothing but the choice of images "
    "differs. In figures, bands are 95 % t-intervals over the seeds."
)
_CLOCK_CAPTION: Final = (
    "Over the clock: accuracy of the newest model at that moment of the simulated campaign."
)


def report_curves(layout: Layout, _: Experiment) -> list[Part]:
    """Figures for each data set, a table for each place, and what they show."""
    parts: list[Part] = [_OPENING]
    for number, (data, places) in enumerate(by_data(layout)):
        parts += _figures(layout, data, places, first=not number)
        for place in places:
            parts += [f"### {place_title(layout, place)}", _table(layout.at(place))]
    if any(cell.is_random for cell in layout.cells):
        parts.append(_NOTE)
    return [*parts, judge_against_random(layout)]


def _figures(layout: Layout, data: str, places: Sequence[Place], *, first: bool) -> list[Figure]:
    """Of a data set; captions stand above those of the first one."""
    which, styles = data if len(by_data(layout)) > 1 else "", line_styles(layout)
    arms = markdown.lines(layout.arms)
    figures = [
        Figure(
            file_name("accuracy", which),
            f"Accuracy over labels, {data}. {arms}",
            partial(_over_labels, layout, places, styles),
        )
    ]
    if all(baseline(layout.at(place)) for place in places):
        figures.append(
            Figure(
                file_name("above_random", which),
                f"Accuracy above random's over labels, {data}. {arms}",
                partial(_over_random, layout, places, styles),
                rank=1,
            )
        )
    if any(_by_time(cell)[0] for place in places for cell in layout.at(place)):
        figures.append(
            Figure(
                file_name("clock", which),
                f"Accuracy over the simulated clock, {data}. {arms}",
                partial(_over_clock, layout, places, styles),
                rank=2,
                caption=_CLOCK_CAPTION if first else "",
            )
        )
    return figures


def _over_labels(
    layout: Layout, places: Sequence[Place], styles: Mapping[str, LineStyle]
) -> Drawing:
    found = [[(cell.arm, *cell_curve(cell)) for cell in layout.at(place)] for place in places]
    panels = [
        [series(arm, styles[arm], labels, heights) for arm, labels, heights in panel]
        for panel in found
    ]
    return _drawn(layout, places, panels, across="labels", up="test accuracy, %")


def _over_clock(
    layout: Layout, places: Sequence[Place], styles: Mapping[str, LineStyle]
) -> Drawing:
    """Mean accuracy of g* over the mean time at each number of labels."""
    found = [[(cell.arm, *_by_time(cell)) for cell in layout.at(place)] for place in places]
    longest = max(at[-1] for panel in found for _, at, _ in panel if at)
    unit, size = next(
        (u for u in _UNITS if longest >= _MIN_UNITS_ON_CLOCK * u[1]), ("seconds", 1.0)
    )
    panels = [
        [series(arm, styles[arm], [t / size for t in at], heights) for arm, at, heights in panel]
        for panel in found
    ]
    across = f"{unit} of the simulated campaign"
    return _drawn(layout, places, panels, across=across, up="accuracy of g*, %")


def _over_random(
    layout: Layout, places: Sequence[Place], styles: Mapping[str, LineStyle]
) -> Drawing:
    """Paired differences to random at each number of labels; each place has one at random."""
    panels, name = [], ""
    for place in places:
        cells = layout.at(place)
        random = baseline(cells)
        assert random is not None  # noqa: S101 - for the type checker
        name = random.arm
        panels.append(
            [
                series(
                    cell.arm, styles[cell.arm], [at for at, _ in told], [gain for _, gain in told]
                )
                for cell in cells
                if (told := differences_along(cell, random))
            ]
        )
    up = f"points above {name}, paired"
    return _drawn(layout, places, panels, across="labels", up=up)


def _drawn(
    layout: Layout,
    places: Sequence[Place],
    panels: Sequence[Sequence[Series]],
    *,
    across: str,
    up: str,
) -> Drawing:
    """A panel for each place, all with the same scale of accuracy."""
    drawing = Drawing(len(places), words=layout.arms)
    for panel, (place, lines) in enumerate(zip(places, panels, strict=True)):
        drawing.lines(
            panel,
            lines,
            title=place_title(layout, place),
            across=across,
            up=up,
            limits=limits_of(panels),
        )
    return drawing


def _by_time(cell: Cell) -> tuple[list[float], list[Interval]]:
    """For each number of labels, the mean time and the accuracy of g*, where all runs had a g*."""
    events = [{at["labels"]: at for at in run.evaluated} for run in cell.runs]
    told = [
        [each[labels] for each in events]
        for labels in common_labels(cell.runs)
        if all(each[labels]["newest_accuracy"] is not None for each in events)
    ]
    times = [fmean(event["at"] for event in at) for at in told]
    return times, [interval([event["newest_accuracy"] for event in at]) for at in told]


def _table(cells: Sequence[Cell]) -> str:
    random = baseline(cells)
    header = ["arm", "mean of the curve %", "with all labels %"]
    if random is not None:
        header += [
            "curve − random",
            "its second half − random",
            "above random at",
            "crosses random on average",
            "told apart from",
            "random's last accuracy with",
        ]
    rows = []
    for cell in cells:
        row = [
            cell.arm,
            markdown.percent(mean(cell, mean_height)),
            markdown.percent(mean(cell, end)),
        ]
        if random is not None and cell is not random and shared(cell, random):
            row += [
                markdown.points(difference(cell, random, mean_height)),
                markdown.points(difference(cell, random, late_height)),
                _beyond(cell, random),
                crossing_words(cell, random),
                apart_words(cell, random),
                worth_words(cell, random),
            ]
        elif random is not None:
            row += [""] * 6
        rows.append(row)
    return markdown.table(header, rows)


_NOTE: Final = (
    "Differences are in percentage points, paired over the seeds, with 95 % t-intervals, bold "
    "where they leave out 0. Above random at: of the evaluations from half of the labels on, those "
    "at which the interval of the paired difference is above 0. Told apart from: the first number "
    "of labels from which on all those intervals lie on the same side of 0. Random's last accuracy "
    "with: the labels at which the mean curve reaches the accuracy that random has with all labels."
)


def _beyond(cell: Cell, random: Cell) -> str:
    """`3 of 5`: at how many evaluations of the second half the whole interval is above 0."""
    told = _second_half(cell, random)
    return f"{sum(each.side > 0 for each in told)} of {len(told)}"


def _second_half(cell: Cell, random: Cell) -> list[Interval]:
    along = differences_along(cell, random)
    wanted = late([labels for labels, _ in along])
    return [each for labels, each in along if labels in wanted]


def apart_words(cell: Cell, random: Cell) -> str:
    """The number of labels from which on every interval is above 0, or every one below."""
    since, side = None, 0
    for labels, gain in reversed(differences_along(cell, random)):
        if not gain.side or side not in (0, gain.side):
            break
        since, side = labels, gain.side
    if since is None:
        return "not to the end"
    return f"{'above' if side > 0 else 'below'} from {since:,}"


def crossing_words(cell: Cell, random: Cell) -> str:
    """The numbers of labels at which the mean curve crosses random's."""
    labels, ours, theirs = paired_curves(cell, random)
    first = next((o - t for o, t in zip(ours, theirs, strict=True) if o != t), 0.0)
    if first == 0:
        return "the same throughout"
    found = crossings(labels, ours, theirs)
    if not found:
        return "above throughout" if first > 0 else "below throughout"
    begins = "above" if first > 0 else "below"
    turns = [
        f"{'above' if each.upward else 'below'} from {each.labels:,.0f}" for each in found[-3:]
    ]
    if len(found) > len(turns):
        begins = f"{len(found) - len(turns)} earlier crossings"
    return ", ".join([begins, *turns])


def worth_words(cell: Cell, random: Cell) -> str:
    """`210 labels`: with how many the mean curve reaches random's accuracy with all labels."""
    labels, ours, theirs = paired_curves(cell, random)
    reached = next((n for n, height in enumerate(ours) if height >= theirs[-1]), None)
    if reached is None:
        return "not reached"
    if not reached:
        return f"{labels[0]:,} labels"
    low, high = ours[reached - 1], ours[reached]
    part = (theirs[-1] - low) / (high - low)
    return f"{labels[reached - 1] + part * (labels[reached] - labels[reached - 1]):,.0f} labels"
