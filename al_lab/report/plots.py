"""Plots without lines on a `Drawing`: dots with a diagonal, bars, intervals, strips, tiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib import rc_context
from matplotlib.colors import to_rgb

from al_lab.report.figures import Drawing
from al_lab.report.palette import INK, PALE, STYLE

_GAIN: Final = "#005f99"
_LOSS: Final = "#b2182b"
_DARK: Final = 0.55
"""From this strength of color on, words are white."""


@dataclass(frozen=True, slots=True)
class Point:
    """A dot with its intervals, as half widths."""

    x: float
    y: float
    x_half: float
    y_half: float
    color: str
    marker: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of `height` on a paler one, `base`, with words above."""

    height: float
    base: float
    error: float
    words: str


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile that is colored by its value, pale unless `clear`, with words on it."""

    value: float
    words: str
    clear: bool


def scatter(
    drawing: Drawing, panel: int, points: Sequence[Point], *, title: str, across: str, up: str
) -> None:
    """Draw dots with their intervals as crosses, and the diagonal; both axes have one scale."""
    with rc_context(STYLE):
        axes = drawing.named(panel, title, across, up)
        ends = [
            each
            for point in points
            for middle, half in ((point.x, point.x_half), (point.y, point.y_half))
            for each in (middle - half, middle + half)
        ]
        margin = 0.06 * (max(ends) - min(ends)) or 1.0
        limits = (min(ends) - margin, max(ends) + margin)
        axes.plot(limits, limits, color="#777777", linewidth=0.9, linestyle=(0, (4, 2)))
        for point in points:
            axes.errorbar(
                *(point.x, point.y, point.y_half, point.x_half),
                fmt=point.marker,
                color=point.color,
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.5,
                elinewidth=0.7,
            )
        axes.set_xlim(limits)
        axes.set_ylim(limits)
        axes.set_yticks([tick for tick in axes.get_xticks() if limits[0] <= tick <= limits[1]])
        axes.set_xticks(axes.get_yticks())


def bars(
    drawing: Drawing,
    panel: int,
    groups: Sequence[tuple[str, str, Sequence[Bar]]],
    *,
    title: str,
    across: str,
    up: str,
    ticks: Sequence[str],
    base: str,
) -> None:
    """Draw the bars of each group (name, color, bars) side by side at each tick, from 0 up.

    `base` names the paler part of the bars.
    """
    with rc_context(STYLE):
        axes = drawing.named(panel, title, across, up)
        axes.grid(visible=False, axis="x")
        wide = 0.8 / len(groups)
        highest = max(bar.base + bar.height for _, _, own in groups for bar in own) or 1.0
        for number, (_, color, own) in enumerate(groups):
            for tick, bar in enumerate(own):
                at = tick + (number - (len(groups) - 1) / 2) * wide
                axes.bar(at, bar.base, 0.92 * wide, color=_paler(color))
                axes.bar(
                    *(at, bar.height, 0.92 * wide, bar.base),
                    color=color,
                    yerr=bar.error,
                    error_kw={"elinewidth": 0.8, "ecolor": INK},
                )
                top = bar.base + bar.height + bar.error
                axes.text(
                    *(at, top + 0.015 * highest, bar.words),
                    horizontalalignment="center",
                    fontsize=7.5,
                )
        axes.set_xticks(range(len(ticks)), ticks)
        axes.margins(y=0.12)
    drawing.key(
        panel,
        [(name, "s", color) for name, color, _ in groups] + [(base, "s", "#bbbbbb")],
    )


def forest(
    drawing: Drawing, rows: Sequence[tuple[str, float, float, str, str]], *, across: str
) -> None:
    """Draw rows (words, middle, half width, color, marker) in the first panel, and a line at 0.

    A half width of 0 draws no interval.
    """
    with rc_context(STYLE):
        axes = drawing.named(0, "", across, "")
        axes.axvline(0.0, color="#777777", linewidth=0.9)
        for height, (_, middle, half, color, marker) in enumerate(reversed(rows)):
            axes.hlines(height, middle - half, middle + half, color=color, linewidth=1.2)
            axes.plot(
                *([middle], [height]),
                marker=marker,
                color=color,
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.5,
            )
        axes.set_yticks(range(len(rows)), [words for words, *_ in reversed(rows)])
        axes.set_ylim(-0.7, len(rows) - 0.3)


def strips(drawing: Drawing, rows: Sequence[tuple[str, Sequence[int]]], *, across: str) -> None:
    """Draw each row as a strip of numbered squares in the first panel;

    shades change with numbers.
    """
    with rc_context(STYLE):
        axes = drawing.named(0, "", across, "")
        axes.grid(visible=False)
        shades = ("#cfe3f2", "#0077bb")
        for height, (_, numbers) in enumerate(reversed(rows)):
            for at, number in enumerate(numbers, 1):
                shade = number % 2
                axes.bar(at, 0.7, 0.92, height - 0.35, color=shades[shade])
                axes.text(
                    *(at, height, str(number)),
                    color="white" if shade else INK,
                    horizontalalignment="center",
                    verticalalignment="center",
                )
        axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
        longest = max(len(numbers) for _, numbers in rows)
        axes.set_xlim(0.4, longest + 0.6)
        axes.set_xticks(range(1, longest + 1))


def tiles(
    drawing: Drawing,
    panel: int,
    found: Mapping[tuple[int, int], Tile],
    *,
    title: str,
    across: str,
    up: str,
    columns: Sequence[str],
    rows: Sequence[str],
) -> None:
    """Draw tiles by (column, row), rows from below: blue above 0, red below, white at 0."""
    with rc_context(STYLE):
        axes = drawing.named(panel, title, across, up)
        axes.grid(visible=False)
        most = max((abs(tile.value) for tile in found.values()), default=0.0) or 1.0
        for (column, row), tile in found.items():
            strength = abs(tile.value) / most * (1.0 if tile.clear else 0.4)
            full = to_rgb(_GAIN if tile.value > 0 else _LOSS)
            axes.bar(
                *(column, 0.94, 0.94, row - 0.47),
                color=tuple(1 - strength * (1 - part) for part in full),
                edgecolor=PALE,
                linewidth=0.6,
            )
            axes.text(
                *(column, row, tile.words),
                color="white" if strength > _DARK else INK,
                horizontalalignment="center",
                verticalalignment="center",
                fontsize=7.5,
                fontweight="bold" if tile.clear else "normal",
            )
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_ylim(-0.5, len(rows) - 0.5)


def _paler(color: str) -> tuple[float, ...]:
    """The color mixed with white instead of transparent, so that no line is seen through it."""
    return tuple(1 - 0.3 * (1 - part) for part in to_rgb(color))
