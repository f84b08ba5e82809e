"""Synchronous against asynchronous, one point a strategy, data set and batch size: Figure 3."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import isinf
from typing import Final

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown
from al_lab.report.arm_styles import data_of, partners, place_title
from al_lab.report.figure_choice import Figure, Part
from al_lab.report.figures import MARKERS, Drawing
from al_lab.report.layout import Cell, Layout, Place, shared
from al_lab.report.measures import (
    difference,
    difference_p,
    end,
    mean,
    mean_difference,
    mean_height,
)
from al_lab.report.naming import method_name, place_name
from al_lab.report.palette import pick_colors
from al_lab.report.plots import Point, forest, scatter
from al_lab.report.statistics import Interval, holm

COMPARABLE_WITHIN: Final = 0.005
"""Asynchronous is called comparable where on average it loses less than this."""

_SCATTER_CAPTION: Final = (
    "The mean height of the accuracy curve with synchronous and with asynchronous querying. "
    "Crosses are 95 % t-intervals over the seeds; on the dashed line both are the same."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """The same strategy at the same place in both modes."""

    place: Place
    synchronous: Cell
    asynchronous: Cell

    @property
    def method(self) -> str:
        """The strategy's name."""
        return method_name(self.asynchronous.strategies)


def report_pairs(layout: Layout, _: Experiment) -> list[Part]:
    """The scatter, a row a pair, and whether asynchronous costs accuracy."""
    found = pairs_of(layout)
    if not found:
        return ["No arm is there both synchronous and asynchronous."]
    return [
        Figure(
            "pairs",
            "Mean height of the accuracy curve, asynchronous over synchronous: a dot for each "
            "pair, and the diagonal on which both are the same",
            partial(_scatter, layout, found),
            caption=_SCATTER_CAPTION,
        ),
        Figure(
            "pair_differences",
            "Asynchronous less synchronous, a row for each pair with its interval",
            partial(_forest, layout, found),
            rank=1,
        ),
        _table(layout, found),
        _verdict(layout, found),
    ]


def pairs_of(layout: Layout) -> list[Pair]:
    """All pairs that share at least one seed."""
    return [
        Pair(place, synchronous, asynchronous)
        for place in layout.places
        for synchronous, asynchronous in partners(layout.at(place))
        if shared(synchronous, asynchronous)
    ]


def _scatter(layout: Layout, found: Sequence[Pair]) -> Drawing:
    """A panel a strategy, as in the paper; colors are data sets, markers what else varies."""
    methods = list(dict.fromkeys(pair.method for pair in found))
    data = list(dict.fromkeys(data_of(layout, pair.place) for pair in found))
    rest = list(dict.fromkeys(_rest(pair) for pair in found))
    colors = dict(zip(data, pick_colors(len(data)), strict=True))
    markers = {words: MARKERS[n % len(MARKERS)] for n, words in enumerate(rest)}
    entries = [(words, "o", colors[words]) for words in data]
    if len(rest) > 1:
        entries += [(words, markers[words], "#777777") for words in rest]
    drawing = Drawing(len(methods), words=[words for words, _, _ in entries], width=2.6, height=2.6)
    for panel, method in enumerate(methods):
        points = [
            Point(
                100 * x.mean,
                100 * y.mean,
                0.0 if isinf(x.half_width) else 100 * x.half_width,
                0.0 if isinf(y.half_width) else 100 * y.half_width,
                colors[data_of(layout, pair.place)],
                markers[_rest(pair)],
            )
            for pair in found
            if pair.method == method
            for x, y in [
                (mean(pair.synchronous, mean_height), mean(pair.asynchronous, mean_height))
            ]
        ]
        scatter(
            *(drawing, panel, points),
            title=method,
            across="synchronous, %",
            up="asynchronous, %",
        )
        drawing.key(panel, entries)
    return drawing


def _forest(layout: Layout, found: Sequence[Pair]) -> Drawing:
    """Every pair's difference with its interval."""
    data = list(dict.fromkeys(data_of(layout, pair.place) for pair in found))
    colors = dict(zip(data, pick_colors(len(data)), strict=True))
    rows = []
    for pair in found:
        apart = difference(pair.asynchronous, pair.synchronous, mean_height)
        if apart is not None:
            half = 0.0 if isinf(apart.half_width) else apart.half_width
            color = colors[data_of(layout, pair.place)]
            rows.append((_name(layout, pair), 100 * apart.mean, 100 * half, color, MARKERS[0]))
    longest = max(len(words) for words, *_ in rows)
    drawing = Drawing(
        1, width=4.2, height=0.4 + 0.19 * len(rows), left=0.3 + 0.072 * longest, top=0.1
    )
    forest(drawing, rows, across="asynchronous less synchronous, mean of the curve, points")
    return drawing


def _name(layout: Layout, pair: Pair) -> str:
    return f"{pair.method}, {place_title(layout, pair.place)}"


def _rest(pair: Pair) -> str:
    """What differs between pairs of the same strategy and data."""
    return place_name({key: value for key, value in pair.place.items() if key != "data.name"})


def _table(layout: Layout, found: Sequence[Pair]) -> str:
    adjusted = holm(_ps(found))
    rows = [
        [
            _name(layout, pair),
            markdown.percent(mean(pair.synchronous, mean_height)),
            markdown.percent(mean(pair.asynchronous, mean_height)),
            markdown.points(difference(pair.asynchronous, pair.synchronous, mean_height)),
            markdown.p_value(p),
            markdown.points(difference(pair.asynchronous, pair.synchronous, end)),
        ]
        for pair, p in zip(found, adjusted, strict=True)
    ]
    header = ["pair", "synchronous %", "asynchronous %", "difference", "p, Holm", "with all labels"]
    return (
        f"{markdown.table(header, rows)}\n\nDifferences are asynchronous less synchronous in "
        "percentage points, paired over the seeds, with 95 % t-intervals, bold where they leave "
        "out 0: of the mean of the curve, and of the accuracy with all labels. p is that of the "
        "paired t-test on the former, corrected by Holm's method for looking at all pairs."
    )


def _ps(found: Sequence[Pair]) -> list[float]:
    return [difference_p(pair.asynchronous, pair.synchronous, mean_height) for pair in found]


def _verdict(layout: Layout, found: Sequence[Pair]) -> str:
    cells = [(pair.asynchronous, pair.synchronous) for pair in found]
    overall, last = mean_difference(cells, mean_height), mean_difference(cells, end)
    each = [difference(pair.asynchronous, pair.synchronous, mean_height) for pair in found]
    worse = [
        _name(layout, pair)
        for pair, apart in zip(found, each, strict=True)
        if apart is not None and apart.side < 0
    ]
    corrected = [
        apart is not None and apart.mean < 0 and p < 0.05
        for apart, p in zip(each, holm(_ps(found)), strict=True)
    ]
    above = sum(apart is not None and apart.mean > 0 for apart in each)
    words = (
        f"Over {markdown.counted(len(found), 'pair')}, asynchronous less synchronous is "
        f"{markdown.points(overall)} points on average in the mean of the curve, and "
        f"{markdown.points(last)} points with all labels; {above} of the points lie above the "
        "diagonal. "
    )
    if worse:
        words += (
            "By its own interval, asynchronous is worse at "
            f"{markdown.counted(len(worse), 'pair')} ({'; '.join(worse)}); of {len(found)} "
            f"intervals, {0.025 * len(found):.1f} would say so by chance alone. "
        )
    else:
        words += "By its own interval, asynchronous is worse at no pair. "
    words += (
        "With Holm's correction it is significantly worse at "
        f"{markdown.counted(sum(corrected), 'pair') if any(corrected) else 'no pair'}."
    )
    return f"{words}\n\n**{_conclusion(overall, any(corrected))}**"


def _conclusion(overall: Interval, any_worse: bool) -> str:
    if any_worse:
        return (
            "The figure does not show what the paper's Figure 3 shows: not at all points do the "
            "two perform comparably."
        )
    if overall.mean < -COMPARABLE_WITHIN:
        return (
            "The figure does not show what the paper's Figure 3 shows: on average asynchronous "
            f"loses more than {100 * COMPARABLE_WITHIN:g} points."
        )
    if isinf(overall.half_width):
        return (
            "The figure looks as the paper's Figure 3, but without repetitions nothing can be "
            "said of chance."
        )
    lowest = overall.mean - overall.half_width
    if lowest < -COMPARABLE_WITHIN:
        return (
            "The figure looks as the paper's Figure 3, where the two perform comparably; but the "
            f"interval of the mean difference reaches to {100 * lowest:.2f} points, so these runs "
            f"do not exclude that asynchronous loses more than {100 * COMPARABLE_WITHIN:g}."
        )
    return (
        "The figure shows what the paper's Figure 3 shows: synchronous and asynchronous perform "
        "comparably."
    )
