"""How arms look in all figures of a report, and which arms are compared with each other."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import isinf

from al_lab.report.figures import MARKERS, Series
from al_lab.report.layout import Cell, Layout, Place
from al_lab.report.naming import data_name, place_name
from al_lab.report.palette import BASELINE, pick_colors
from al_lab.report.statistics import Interval


@dataclass(frozen=True, slots=True)
class LineStyle:
    """The style of an arm's lines and dots."""

    color: str
    marker: str
    dashed: bool


def line_styles(layout: Layout) -> dict[str, LineStyle]:
    """Styles by the arm's name. Random is black; a synchronous arm is its partner, dashed."""
    first = {arm: next(cell for cell in layout.cells if cell.arm == arm) for arm in layout.arms}
    kinds = {arm: _kind(cell, list(first.values())) for arm, cell in first.items()}
    colored = list(dict.fromkeys(kind for kind in kinds.values() if kind != "random"))
    colors = dict(zip(colored, pick_colors(len(colored)), strict=True)) | {"random": BASELINE}
    return {
        arm: LineStyle(
            colors[kind],
            MARKERS[colored.index(kind) % len(MARKERS)] if kind in colored else MARKERS[0],
            dashed=first[arm].is_synchronous,
        )
        for arm, kind in kinds.items()
    }


def series(
    name: str,
    style: LineStyle,
    x: Sequence[float],
    heights: Sequence[Interval],
    *,
    times: float = 100,
) -> Series:
    """A line through means, in percent; with intervals where there are several runs."""
    told = [] if any(isinf(at.half_width) for at in heights) else heights
    return Series(
        name,
        x,
        [times * at.mean for at in heights],
        style.color,
        low=[times * (at.mean - at.half_width) for at in told],
        high=[times * (at.mean + at.half_width) for at in told],
        marker=style.marker,
        dashed=style.dashed,
    )


def baseline(cells: Iterable[Cell]) -> Cell | None:
    """The cell that chooses at random; of two, the asynchronous one."""
    found = sorted((cell for cell in cells if cell.is_random), key=lambda c: c.is_synchronous)
    return found[0] if found else None


def by_data(layout: Layout) -> list[tuple[str, list[Place]]]:
    """Places by the name of their data."""
    found: dict[str, list[Place]] = {}
    for place in layout.places:
        found.setdefault(data_of(layout, place), []).append(place)
    return list(found.items())


def data_of(layout: Layout, place: Place) -> str:
    """The name of the data set at a place."""
    return data_name(place.get("data.name", layout.cells[0].setting.data.name))


def place_title(layout: Layout, place: Place) -> str:
    """A place in words, beginning with its data even where these do not vary."""
    rest = place_name({key: value for key, value in place.items() if key != "data.name"})
    return ", ".join(filter(None, [data_of(layout, place), rest]))


def row_name(layout: Layout, cell: Cell) -> str:
    """The arm and the place of a cell."""
    return _row_name(cell.arm, _told_place(layout, cell))


def rows_of(layout: Layout, told: Callable[[Cell], list[str]]) -> list[list[str]]:
    """A row for each cell: arm and place, then columns; cells with the same columns share a row.

    With given durations, for example, staleness is the same on all data.
    """
    lines = [_Line(cell.arm, _told_place(layout, cell), told(cell)) for cell in layout.cells]
    for axis in layout.axes:
        lines = _merged(lines, [_without(line, axis) for line in lines])
    if len(layout.arms) > 1:
        lines = _merged(lines, [replace(line, arm="all arms") for line in lines])
    return [[_row_name(line.arm, line.place), *line.columns] for line in lines]


def partners(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """(synchronous, asynchronous) cells with the same strategies."""
    return [
        (one, other)
        for one in cells
        for other in cells
        if one.is_synchronous and not other.is_synchronous and one.strategies == other.strategies
    ]


@dataclass(frozen=True, slots=True)
class _Line:
    """A row of a table: what its name says, and its other columns."""

    arm: str
    place: Place
    columns: list[str]


def _without(line: _Line, axis: str) -> _Line:
    return replace(line, place={key: at for key, at in line.place.items() if key != axis})


def _merged(lines: list[_Line], shorter: list[_Line]) -> list[_Line]:
    """The shorter lines, each once; or `lines`, if two different ones would get the same name."""
    kept: list[_Line] = []
    for line in shorter:
        same = [each for each in kept if (each.arm, each.place) == (line.arm, line.place)]
        if any(each.columns != line.columns for each in same):
            return lines
        kept += [] if same else [line]
    return kept


def _told_place(layout: Layout, cell: Cell) -> Place:
    """The place of a cell; empty where all cells are at the same place."""
    return cell.place if len(layout.places) > 1 else {}


def _row_name(arm: str, place: Place) -> str:
    return ", ".join(filter(None, [arm, place_name(place)]))


def _kind(cell: Cell, others: Sequence[Cell]) -> str:
    """Arms of one kind share a color: an arm and its only partner of the other mode."""
    alike = [other for other in others if other.strategies == cell.strategies]
    modes = [other.is_synchronous for other in alike]
    if sorted(modes) in ([False], [True], [False, True]):
        return "random" if cell.is_random else " ".join(sorted(cell.strategies))
    return "random" if cell.is_random and cell is alike[0] else cell.arm
