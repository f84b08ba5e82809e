"""The time between two queries of a person, synchronous against asynchronous: Figure 4."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import isinf
from statistics import fmean
from typing import Final

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown
from al_lab.report.arm_styles import partners, place_title, row_name
from al_lab.report.figure_choice import Figure, Part
from al_lab.report.figures import Drawing
from al_lab.report.layout import Cell, Layout, Place
from al_lab.report.measures import Measure, between_queries, mean, wait
from al_lab.report.naming import key_name, value_name
from al_lab.report.palette import pick_colors
from al_lab.report.plots import Bar, bars
from al_lab.report.statistics import Interval, interval

_BATCH_SIZE: Final = "arrangement.batch_size"


@dataclass(frozen=True, slots=True)
class Row:
    """Both modes at a batch size: the cells of all arms that are there in both."""

    batch_size: int
    synchronous: Sequence[Cell]
    asynchronous: Sequence[Cell]

    @property
    def ratio(self) -> float:
        """How many times as long it is from query to query where people wait for the model."""
        return (
            over_arms(self.synchronous, between_queries).mean
            / over_arms(self.asynchronous, between_queries).mean
        )

    @property
    def people(self) -> int:
        """Who label a batch together."""
        return self.synchronous[0].setting.people.count

    @property
    def work(self) -> float:
        """Seconds that a label takes."""
        return self.synchronous[0].setting.people.seconds_per_label


def report_waits(layout: Layout, _: Experiment) -> list[Part]:
    """Bars and a table over batch sizes, and the ratio of the two modes."""
    panels = panels_of(layout)
    if not panels:
        return [_one_mode(layout)]
    clocks = {cell.setting.clock for cell in layout.cells}
    measured = any(clock.training is None for clock in clocks)
    return [
        "The average time from one query of a person to the next: what they need for a label, and "
        "what they wait for an image. "
        + (
            "Trainings and passes take what they took on the device."
            if measured
            else "Trainings and passes take given times."
        ),
        Figure(
            "waits",
            "Seconds between two queries by batch size: bars for synchronous and asynchronous",
            partial(_bars, layout, panels),
        ),
        *(_table(place_title(layout, place), rows) for place, rows in panels),
        _verdict([(place_title(layout, place), rows) for place, rows in panels]),
    ]


def _one_mode(layout: Layout) -> str:
    """Where there is nothing to compare."""
    rows = [
        [
            row_name(layout, cell),
            markdown.spread_seconds(mean(cell, wait)),
            markdown.spread_seconds(mean(cell, between_queries)),
        ]
        for cell in layout.cells
    ]
    table = markdown.table(["arm", "wait for an image, mean", "from query to query"], rows)
    return (
        f"{table}\n\n**No arm is here both synchronous and asynchronous, so nothing is said of the "
        "paper's Figure 4.**"
    )


def panels_of(layout: Layout) -> list[tuple[Place, list[Row]]]:
    """For each place but for its batch size: a row for each batch size that has both modes."""
    panels = []
    for rest, places in layout.along(_BATCH_SIZE):
        rows = []
        for _, place in places:
            found = partners(layout.at(place))
            if found:
                both = [each for each, _ in found], [each for _, each in found]
                rows.append(Row(found[0][1].setting.arrangement.batch_size, *both))
        if rows:
            panels.append((rest, sorted(rows, key=lambda row: row.batch_size)))
    return panels


def over_arms(cells: Sequence[Cell], measure: Measure) -> Interval:
    """A measure averaged over arms, with its interval over the seeds that all of them have."""
    by_arm = [{run.seed: measure(run) for run in cell.runs} for cell in cells]
    seeds = set.intersection(*(set(each) for each in by_arm))
    if not seeds:
        return interval([fmean(each.values()) for each in by_arm])
    return interval([fmean(each[seed] for each in by_arm) for seed in sorted(seeds)])


def _bars(layout: Layout, panels: Sequence[tuple[Place, Sequence[Row]]]) -> Drawing:
    working = "labeling (paler)"
    names = ("synchronous", "asynchronous")
    drawing = Drawing(len(panels), words=[*names, working])
    for panel, (place, rows) in enumerate(panels):
        groups = [
            (name, color, [_bar(row, cells) for row, cells in own])
            for name, color, own in zip(
                names,
                pick_colors(2)[::-1],
                (
                    [(row, row.synchronous) for row in rows],
                    [(row, row.asynchronous) for row in rows],
                ),
                strict=True,
            )
        ]
        bars(
            *(drawing, panel, groups),
            title=place_title(layout, place),
            across=key_name(_BATCH_SIZE),
            up="seconds between two queries",
            ticks=[value_name(_BATCH_SIZE, row.batch_size) for row in rows],
            base=working,
        )
    return drawing


def _bar(row: Row, cells: Sequence[Cell]) -> Bar:
    found = over_arms(cells, wait)
    error = 0.0 if isinf(found.half_width) else found.half_width
    return Bar(found.mean, row.work, error, markdown.digits(row.work + found.mean))


def _table(title: str, rows: Sequence[Row]) -> str:
    header = [
        f"{title}: batch size",
        "synchronous, wait",
        "asynchronous, wait",
        "synchronous, from query to query",
        "asynchronous",
        "ratio",
        "a whole batch, synchronous",
        "asynchronous",
    ]
    lines = [
        [
            value_name(_BATCH_SIZE, row.batch_size),
            *(
                markdown.spread_seconds(over_arms(cells, measure))
                for measure in (wait, between_queries)
                for cells in (row.synchronous, row.asynchronous)
            ),
            f"{row.ratio:.1f}",
            *(
                markdown.seconds(batch_time(row, cells)) if row.batch_size else "–"
                for cells in (row.synchronous, row.asynchronous)
            ),
        ]
        for row in rows
    ]
    return markdown.table(header, lines)


def batch_time(row: Row, cells: Sequence[Cell]) -> float:
    """Seconds in which all people together label as many images as a batch has."""
    return over_arms(cells, between_queries).mean * row.batch_size / row.people


def _verdict(panels: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """What the panels, each with its title, show of the paper's Figure 4."""
    rows = [row for _, panel in panels for row in panel]
    ratios = [row.ratio for row in rows]
    most = f" to {max(ratios):.1f}" if len(ratios) > 1 else ""
    words = (
        f"From query to query it takes {min(ratios):.1f}{most} times as long with synchronous "
        "querying as with asynchronous."
    )
    rises = []
    for title, panel in panels:
        fixed = [row for row in panel if row.batch_size]
        if len(fixed) > 1:
            rises.append(_rises(fixed))
            words += f" {_over_batches(title, fixed[0], fixed[-1])}"
    return f"{words}\n\n**{_conclusion(rows, rises)}**"


def _rises(rows: Sequence[Row]) -> bool:
    """Whether each larger batch takes longer from query to query, synchronously."""
    times = [over_arms(row.synchronous, between_queries).mean for row in rows]
    return all(later > earlier for earlier, later in pairwise(times))


def _over_batches(title: str, first: Row, last: Row) -> str:
    """How times change from the smallest to the largest batch."""

    def both(cells_of: Callable[[Row], Sequence[Cell]]) -> str:
        times = (over_arms(cells_of(row), between_queries).mean for row in (first, last))
        return " to ".join(map(markdown.seconds, times))

    batches = (batch_time(row, row.synchronous) for row in (first, last))
    return (
        f"On {title}, from batches of {first.batch_size:,} to batches of {last.batch_size:,} "
        f"the synchronous time goes from {both(lambda row: row.synchronous)} a query, and from "
        f"{' to '.join(map(markdown.seconds, batches))} a batch; the asynchronous time from "
        f"{both(lambda row: row.asynchronous)} a query."
    )


def _conclusion(rows: Sequence[Row], rises: Sequence[bool]) -> str:
    slower = [row for row in rows if row.ratio > 1]
    if len(slower) < len(rows):
        return (
            "The figure does not show what the paper's Figure 4 shows: in "
            f"{len(rows) - len(slower)} of {len(rows)} cases asynchronous is not faster."
        )
    faster = "asynchronous is faster in all cases"
    if not rises:
        return f"As in the paper's Figure 4, {faster}."
    if all(rises):
        return (
            f"The figure shows what the paper's Figure 4 shows: {faster}, and the synchronous time "
            "rises with the batch size."
        )
    return (
        f"As in the paper's Figure 4, {faster}. That the synchronous time rises with the batch "
        "size is not seen for a single query: a training is waited for once a batch, and a "
        "larger batch spreads that over more images. It holds for the time that a whole batch "
        "takes, and the paper does not say which of the two it shows."
    )
