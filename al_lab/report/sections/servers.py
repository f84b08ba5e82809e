"""Methods, servers and data sets: average accuracy over the curve, as in the paper's Table 1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import fmean
from typing import Any, Final

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown
from al_lab.report.arm_styles import data_of, line_styles, place_title, series
from al_lab.report.figure_choice import Figure, Part
from al_lab.report.figures import Drawing
from al_lab.report.layout import Cell, Layout, Place
from al_lab.report.measures import (
    Measure,
    difference,
    difference_p,
    mean,
    mean_height,
    newest_height,
    staleness,
)
from al_lab.report.statistics import Interval, holm

_SERVERS: Final = "arrangement.servers"
_SAME_WITHIN: Final = 0.01
"""Numbers closer than this to the paper's are called the same."""

Rows = Mapping[str, Sequence[Cell | None]]
"""Cells of each arm by its name, one for each number of servers."""


_OPENING: Final = (
    "The average accuracy over the whole curve with 95 % t-intervals over the seeds: first of a "
    "model trained from scratch on exactly the labels that were asked for, then of g*, the "
    "newest model at that moment, which does not know the newest labels. Last less first is "
    "paired over the seeds, in percentage points, bold where its interval leaves out 0."
)


@dataclass(frozen=True, slots=True)
class Panel:
    """A place but for its number of servers; `rows` have a cell for each of `counts`."""

    title: str
    rows: Rows
    counts: Sequence[int]
    paper: Mapping[str, Mapping[int, float]]


def report_servers(layout: Layout, experiment: Experiment) -> list[Part]:
    """A table for each data set, with the paper's numbers where they are known."""
    panels = _panels(layout, experiment)
    tables = [
        part
        for panel in panels
        for part in (
            f"### {panel.title}",
            _table("average accuracy over the curve", panel, mean_height, panel.paper),
            _table("the same of g* at each moment", panel, newest_height, {}),
            _staleness(panel),
        )
    ]
    steps = [
        (f"{arm} on {panel.title}", *step)
        for panel in panels
        for arm, cells in panel.rows.items()
        for step in _steps(cells)
    ]
    apart = [
        mean(cell, mean_height).mean - panel.paper[arm][cell.setting.arrangement.servers]
        for panel in panels
        for arm, cells in panel.rows.items()
        for cell in cells
        if cell and cell.setting.arrangement.servers in panel.paper.get(arm, {})
    ]
    figure = Figure(
        "servers",
        f"Average accuracy over the curve by the number of servers. {markdown.lines(layout.arms)}",
        partial(_draw, layout, panels),
    )
    return [_OPENING, figure, *tables, _verdict(steps, apart)]


def _panels(layout: Layout, experiment: Experiment) -> list[Panel]:
    return [
        Panel(
            place_title(layout, rest),
            _rows(layout, [place for _, place in places]),
            [layout.at(place)[0].setting.arrangement.servers for _, place in places],
            paper_numbers(experiment.paper, data_of(layout, rest)),
        )
        for rest, places in layout.along(_SERVERS)
    ]


def paper_numbers(paper: Mapping[str, Any], data: str) -> dict[str, dict[int, float]]:
    """The paper's own averages by arm and servers, from the configuration's table [paper]."""
    servers = paper.get("servers", ())
    return {
        arm: dict(zip(servers, numbers, strict=True))
        for arm, numbers in paper.get("table1", {}).get(data, {}).items()
    }


def _rows(layout: Layout, places: Sequence[Place]) -> Rows:
    return {
        arm: [
            next((cell for cell in layout.at(place) if cell.arm == arm), None) for place in places
        ]
        for arm in layout.arms
        if any(cell.arm == arm for place in places for cell in layout.at(place))
    }


def _steps(cells: Sequence[Cell | None]) -> list[tuple[Interval, float]]:
    """From each number of servers to the next larger one: the gain, and its p."""
    there = [cell for cell in cells if cell is not None]
    return [
        (gain, difference_p(more, fewer, mean_height))
        for fewer, more in pairwise(there)
        if (gain := difference(more, fewer, mean_height)) is not None
    ]


def _table(
    words: str, panel: Panel, measure: Measure, paper: Mapping[str, Mapping[int, float]]
) -> str:
    rows, counts = panel.rows, panel.counts
    header = [words, *(markdown.counted(count, "server") for count in counts)]
    if len(counts) > 1:
        header.append("last less first")
    if paper:
        header += [f"the paper: {count}" for count in counts]
    lines = []
    for arm, cells in rows.items():
        line = [
            arm,
            *("–" if cell is None else markdown.share(mean(cell, measure)) for cell in cells),
        ]
        if len(counts) > 1:
            ends = cells[0], cells[-1]
            gain = difference(ends[1], ends[0], measure) if ends[0] and ends[1] else None
            line.append(markdown.points(gain))
        if paper:
            told = paper.get(arm, {})
            line += [f"{told[count]:.3f}" if count in told else "" for count in counts]
        lines.append(line)
    return markdown.table(header, lines)


def _staleness(panel: Panel) -> str:
    servers = [markdown.counted(count, "server") for count in panel.counts]
    header = ["mean staleness, labels", *servers]
    lines = [
        [
            arm,
            *(
                "–" if cell is None else markdown.tenths(mean(cell, staleness).mean)
                for cell in cells
            ),
        ]
        for arm, cells in panel.rows.items()
    ]
    return markdown.table(header, lines)


def _draw(layout: Layout, panels: Sequence[Panel]) -> Drawing:
    """For each two: the means, and what they are above those with the fewest servers, paired."""
    drawing, styles = Drawing(2 * len(panels), words=layout.arms), line_styles(layout)
    for number, panel in enumerate(panels):
        means, gains, ticks = [], [], [str(count) for count in panel.counts]
        for arm, cells in panel.rows.items():
            there = [(float(n), cell) for n, cell in enumerate(cells) if cell is not None]
            heights = [mean(cell, mean_height) for _, cell in there]
            means.append(series(arm, styles[arm], [n for n, _ in there], heights))
            above = [(n, difference(cell, there[0][1], mean_height)) for n, cell in there]
            known = [(n, gain) for n, gain in above if gain is not None]
            gains.append(series(arm, styles[arm], [n for n, _ in known], [g for _, g in known]))
        for at, lines, up in (
            (2 * number, means, "mean of the curve, %"),
            (2 * number + 1, gains, f"points above {ticks[0]} server, paired"),
        ):
            drawing.lines(at, lines, title=panel.title, across="servers", up=up, ticks=ticks)
    return drawing


def _verdict(steps: Sequence[tuple[str, Interval, float]], apart: Sequence[float]) -> str:
    words = ""
    if apart:
        largest = max(apart, key=abs)
        words = (
            f"From the paper's numbers ours differ by {fmean(apart):+.3f} on average over "
            f"{markdown.counted(len(apart), 'number')}, at most by {largest:+.3f}: "
            f"{'all' if abs(largest) <= _SAME_WITHIN else 'not all'} within {_SAME_WITHIN:g}. "
        )
    if not steps:
        return f"{words}The number of servers does not vary here."
    rising = [name for name, gain, _ in steps if gain.mean > 0]
    clear = [name for name, gain, _ in steps if gain.side > 0]
    fallen = [name for name, gain, _ in steps if gain.side < 0]
    corrected = [
        name
        for (name, gain, _), p in zip(steps, holm([p for _, _, p in steps]), strict=True)
        if p < 0.05 and gain.mean < 0
    ]
    words += (
        f"Of {markdown.counted(len(steps), 'step')} to more servers, {len(rising)} gain on average "
        f"({len(clear)} beyond the interval), {markdown.points(_mean_step(steps))} points a step; "
        f"{len(fallen)} lose beyond the interval, {len(corrected)} with Holm's correction."
    )
    if len(clear) == len(steps):
        return f"{words}\n\n**As in the paper's Table 1, more servers are better in all cases.**"
    if len(rising) == len(steps):
        return (
            f"{words}\n\n**The table points the way of the paper's Table 1, where more servers are "
            "better in all cases, but not every step is larger than chance makes it.**"
        )
    if not corrected:
        return (
            f"{words}\n\n**In the paper's Table 1 more servers are better in all cases; here they "
            "are not significantly worse in any, and not better in all.**"
        )
    return (
        f"{words}\n\n**This is not what the paper's Table 1 shows, where more servers are better "
        f"in all cases: {markdown.listed(corrected)} lost.**"
    )


def _mean_step(steps: Sequence[tuple[str, Interval, float]]) -> Interval:
    """The mean of all steps; without an interval, since steps of a method share runs."""
    return Interval(fmean(gain.mean for _, gain, _ in steps), float("inf"))
