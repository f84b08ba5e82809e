"""One setting varied, or arm against arm: what it does to accuracy, staleness and waits."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from al_lab.config.experiment_file import Experiment
from al_lab.report import markdown
from al_lab.report.arm_styles import LineStyle, baseline, line_styles, place_title, series
from al_lab.report.figure_choice import Figure, Part
from al_lab.report.figures import Drawing
from al_lab.report.layout import Cell, Layout, Place
from al_lab.report.measures import (
    between_queries,
    difference,
    difference_p,
    differences_along,
    end,
    mean,
    mean_height,
    staleness,
)
from al_lab.report.naming import (
    file_name,
    key_name,
    place_name,
    value_name,
)
from al_lab.report.statistics import holm

ARM: Final = "arm"
_NO_ARRANGEMENT: Final = ("data.name", "labels.budget")

Row = tuple[str, Cell, Cell | None]
"""A value in words, the cell that has it, and what chooses at random at the same place."""


def report_comparison(layout: Layout, _: Experiment, *, key: str = "") -> list[Part]:
    """Compare over a key of the settings, over all keys of a table of them, or over `arm`.

    Without a key over each axis, or over arms where there is none. Each value is compared with the
    first one that the configuration has.
    """
    keys = [key] if key else [axis for axis in layout.axes if axis not in _NO_ARRANGEMENT]
    return [
        part
        for each in keys or [ARM]
        for part in (_compare_arms(layout) if each == ARM else _compare_values(layout, each))
    ]


def _compare_values(layout: Layout, key: str) -> list[Part]:
    axes = [axis for axis in layout.axes if axis == key or axis.startswith(f"{key}.")]
    words = key_name(key)
    if not axes:
        return [f"The {words} does not vary within an arm."]
    panels = [
        (place_title(layout, rest), _by_arm(layout, key, places))
        for rest, places in layout.along(*axes)
    ]
    ticks = [_tick(key, value) for _, places in layout.along(*axes) for value, _ in places]
    parts: list[Part] = [
        Figure(
            file_name("against", words),
            f"Mean of the curve by {words}, and its difference to {ticks[0]}. "
            f"{markdown.lines(layout.arms)}",
            partial(_draw_values, layout, words, panels, ticks),
        )
    ]
    for title, by_arm in panels:
        parts.append(f"### {words.capitalize()}: {title}")
        for arm, rows in by_arm.items():
            if len({cell.setting for _, cell, _ in rows}) > 1:
                first = f"{words} {rows[0][0]}"
                parts += [_table(f"{arm}: {words}", rows), _words(f"{arm}: ", first, rows)]
    return [*parts, _NOTE]


def _tick(key: str, value: Place) -> str:
    """The value of a key, or of all keys of a table."""
    return value_name(key, value[key]) if key in value else place_name(value)


def _by_arm(
    layout: Layout, key: str, places: Sequence[tuple[Place, Place]]
) -> dict[str, list[Row]]:
    """The rows of each arm, one for each value."""
    by_arm: dict[str, list[Row]] = {}
    for value, place in places:
        for arm, cell, random in _rows(layout, place):
            by_arm.setdefault(arm, []).append((_tick(key, value), cell, random))
    return by_arm


def _draw_values(
    layout: Layout,
    across: str,
    panels: Sequence[tuple[str, Mapping[str, Sequence[Row]]]],
    ticks: Sequence[str],
) -> Drawing:
    """Two panels for each title: the means, and what they are above the first one, paired."""
    drawing, styles = Drawing(2 * len(panels), words=layout.arms, ticks=ticks), line_styles(layout)
    for number, (title, by_arm) in enumerate(panels):
        _draw_panels(drawing, 2 * number, title, across, by_arm, styles)
    return drawing


def _draw_panels(
    drawing: Drawing,
    panel: int,
    title: str,
    across: str,
    by_arm: Mapping[str, Sequence[Row]],
    styles: Mapping[str, LineStyle],
) -> None:
    ticks = list(dict.fromkeys(words for rows in by_arm.values() for words, *_ in rows))
    means, gains = [], []
    for arm, rows in by_arm.items():
        x = [float(ticks.index(words)) for words, *_ in rows]
        means.append(series(arm, styles[arm], x, [mean(cell, mean_height) for _, cell, _ in rows]))
        told = [difference(cell, rows[0][1], mean_height) for _, cell, _ in rows]
        known = [(n, gain) for n, gain in zip(x, told, strict=True) if gain is not None]
        gains.append(series(arm, styles[arm], [n for n, _ in known], [g for _, g in known]))
    for number, lines, up in (
        (panel, means, "mean of the curve, %"),
        (panel + 1, gains, f"difference to {ticks[0]}, points"),
    ):
        drawing.lines(number, lines, title=title, across=across, up=up, ticks=ticks)


def _compare_arms(layout: Layout) -> list[Part]:
    parts: list[Part] = [
        Figure(
            file_name("against", ARM),
            f"Accuracy above the first arm's over labels. {markdown.lines(layout.arms)}",
            partial(_draw_arms, layout),
        )
    ]
    for place in layout.places:
        title, rows = place_title(layout, place), _rows(layout, place)
        parts += [f"### {title}", _table("arm", rows), _words("", rows[0][0], rows)]
    return [*parts, _NOTE]


def _draw_arms(layout: Layout) -> Drawing:
    drawing, styles = Drawing(len(layout.places), words=layout.arms), line_styles(layout)
    for panel, place in enumerate(layout.places):
        title, rows = place_title(layout, place), _rows(layout, place)
        lines = []
        for arm, cell, _ in rows:
            along = differences_along(cell, rows[0][1])
            lines.append(
                series(arm, styles[arm], [at for at, _ in along], [gain for _, gain in along])
            )
        up = f"difference to {rows[0][0]}, points"
        drawing.lines(panel, lines, title=title, across="labels", up=up)
    return drawing


def _rows(layout: Layout, place: Place) -> list[Row]:
    """All arms at a place."""
    cells = layout.at(place)
    random = baseline(cells)
    return [(cell.arm, cell, None if cell.is_random else random) for cell in cells]


_NOTE: Final = (
    "Differences are to the first row in percentage points, paired over the seeds, with 95 % "
    "t-intervals, bold where they leave out 0; p is that of the paired t-test on the mean of the "
    "curve, corrected by Holm's method for the rows of the table."
)


def _table(words: str, rows: Sequence[Row]) -> str:
    first, ps = rows[0][1], _ps(rows)
    by_random = any(random for _, _, random in rows)
    header = [
        words,
        "mean of the curve %",
        "to the first",
        "p, Holm",
        *(["to random"] if by_random else []),
        "with all labels %",
        "to the first",
        "mean staleness, labels",
        "from query to query",
    ]
    lines = []
    for number, (name, cell, random) in enumerate(rows):
        above = [markdown.points(difference(cell, random, mean_height)) if random else ""]
        compared = ["", "", ""]
        if number:
            compared = [
                markdown.points(difference(cell, first, mean_height)),
                markdown.p_value(ps[number - 1]),
                markdown.points(difference(cell, first, end)),
            ]
        lines.append(
            [
                name,
                markdown.percent(mean(cell, mean_height)),
                *compared[:2],
                *(above if by_random else []),
                markdown.percent(mean(cell, end)),
                compared[2],
                markdown.tenths(mean(cell, staleness).mean),
                markdown.spread_seconds(mean(cell, between_queries)),
            ]
        )
    return markdown.table(header, lines)


def _ps(rows: Sequence[Row]) -> list[float]:
    """Of all rows but the first, against it, adjusted for their number."""
    return holm([difference_p(cell, rows[0][1], mean_height) for _, cell, _ in rows[1:]])


def _words(start: str, first: str, rows: Sequence[Row]) -> str:
    """Which rows differ from the first, in a sentence."""
    told = [
        (name, difference(cell, rows[0][1], mean_height), p)
        for (name, cell, _), p in zip(rows[1:], _ps(rows), strict=True)
    ]
    parts = [
        f"significantly {words} with {markdown.listed(names)}"
        for words, sign in (("higher", 1), ("lower", -1))
        if (names := [name for name, gain, p in told if gain and sign * gain.mean > 0 and p < 0.05])
    ]
    differs = " and ".join(parts) if parts else "significantly different with none of the others"
    against = "against" if start else "Against"
    return f"**{start}{against} {first}, the mean of the curve is {differs}.**"
