"""Drawings of a report: SVG and PNG, on white of their own, the same bytes for the same numbers.

Lines bear their names at their ends, and no colour means anything that a name, a marker or a dash
does not say as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Final, cast

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from al_lab.report.palette import BASELINE, STYLE, spread

MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")

_DOTS_PER_INCH: Final = 144
# Inches: how wide a letter beside a panel is on average, how high a line of words, and what is
# below a panel with one line of words.
_LETTER: Final = 0.078
_LINE: Final = 0.145
_BELOW: Final = 0.52
# Letters of a tick's words in a line.
_TICK: Final = 14
# Of a tick's distance to the next: how far lines stand beside each other, that intervals be seen.
_ASIDE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Series:
    """A line: `y` over `x` (rising), between `low` and `high` where it has an interval."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    marker: str = "o"
    dashed: bool = False

    @property
    def is_baseline(self) -> bool:
        """Drawn black and thick."""
        return self.colour == BASELINE


class Drawing:
    """Panels of the same size in rows, with room for words at the right of each."""

    def __init__(
        self,
        panels: int,
        *,
        words: Sequence[str] = (),
        width: float = 3.2,
        height: float = 2.5,
        left: float = 0.68,
        top: float = 0.42,
        ticks: Sequence[str] = (),
    ) -> None:
        """`words` are those that stand beside a panel, `ticks` those below it.

        `width` and `height` are inches of a panel, `left` of what stands before it, `top` of its
        title.
        """
        with rc_context(STYLE):
            self._columns = min(2, panels)
            self._left, self._top = left, top
            self._width, self._height = width, height
            lines = max((_wrapped(words).count("\n") for words in ticks), default=0)
            self._below = _BELOW + _LINE * lines
            self._beside = 0.3 + _LETTER * max(map(len, words), default=0)
            self._rows = -(-panels // self._columns)
            self._figure = Figure(
                figsize=(
                    self._columns * (left + width + self._beside),
                    self._rows * (top + height + self._below),
                )
            )
            FigureCanvasAgg(self._figure)
            self._axes = [self._panel(n) for n in range(panels)]

    def _panel(self, number: int) -> Axes:
        row, column = divmod(number, self._columns)
        wide, high = self._figure.get_size_inches()
        left = column * (self._left + self._width + self._beside) + self._left
        bottom = (self._rows - 1 - row) * (self._top + self._height + self._below) + self._below
        place = (left / wide, bottom / high, self._width / wide, self._height / high)
        return self._figure.add_axes(place)

    def lines(
        self,
        panel: int,
        series: Sequence[Series],
        *,
        title: str,
        across: str,
        up: str,
        ticks: Sequence[str] = (),
        limits: tuple[float, float] | None = None,
    ) -> None:
        """Lines with their names at the right, y within `limits`.

        `ticks` are words for x of 0, 1, 2 and so on; intervals are bars then, and bands otherwise.
        """
        with rc_context(STYLE):
            axes = self.named(panel, title, across, up)
            for number, line in enumerate(series):
                aside = (number - (len(series) - 1) / 2) * _ASIDE if ticks else 0.0
                x = [at + aside for at in line.x]
                width = 2.2 if line.is_baseline else 1.5
                style = (0, (4, 2)) if line.dashed else "-"
                axes.plot(
                    *(x, line.y),
                    color=line.colour,
                    linewidth=width,
                    linestyle=style,
                    marker=line.marker,
                    markersize=3.2,
                )
                if line.low and ticks:
                    axes.vlines(x, line.low, line.high, color=line.colour, linewidth=0.9)
                elif line.low:
                    axes.fill_between(
                        x, line.low, line.high, color=line.colour, alpha=0.12, linewidth=0
                    )
            if limits is not None:
                axes.set_ylim(limits)
            if ticks:
                axes.set_xticks(range(len(ticks)), [_wrapped(words) for words in ticks])
                axes.set_xlim(-0.3, len(ticks) - 0.7)
            else:
                axes.margins(x=0.02)
            self._names(axes, [line for line in series if len(line.x)])

    def _names(self, axes: Axes, series: Sequence[Series]) -> None:
        """Each line's name right of the panel, led to from the line's end."""
        bottom, top = axes.get_ylim()
        left, right = axes.get_xlim()
        wanted = [(line.y[-1] - bottom) / (top - bottom) for line in series]
        for line, start, at in zip(
            series, wanted, spread(wanted, _LINE / self._height), strict=True
        ):
            last = (line.x[-1] - left) / (right - left)
            axes.plot(
                *([last, 1.0, 1 + 0.12 / self._width], [start, start, at]),
                transform=axes.transAxes,
                color=line.colour,
                linewidth=0.6,
                linestyle=":" if last < 0.95 else "-",
                clip_on=False,
            )
            axes.text(
                *(1 + 0.16 / self._width, at, line.name),
                transform=axes.transAxes,
                color=line.colour,
                verticalalignment="center",
                fontweight="bold" if line.is_baseline else "normal",
            )

    def key(self, panel: int, entries: Sequence[tuple[str, str, str]]) -> None:
        """What markers and colours mean, right of a panel: (words, marker, colour)."""
        with rc_context(STYLE):
            axes = self._axes[panel]
            for number, (words, marker, colour) in enumerate(entries):
                at = 1 - (number + 0.5) * 1.3 * _LINE / self._height
                axes.plot(
                    *([1 + 0.16 / self._width], [at]),
                    transform=axes.transAxes,
                    marker=marker,
                    color=colour,
                    markersize=5,
                    clip_on=False,
                )
                axes.text(
                    *(1 + 0.28 / self._width, at, words),
                    transform=axes.transAxes,
                    verticalalignment="center",
                )

    def save(self, folder: Path, name: str) -> None:
        """Write `name`.svg and `name`.png."""
        with rc_context(STYLE):
            self._figure.savefig(folder / f"{name}.svg", metadata=_without("Date", "Creator"))
            self._figure.savefig(
                folder / f"{name}.png", dpi=_DOTS_PER_INCH, metadata=_without("Software")
            )

    def named(self, panel: int, title: str, across: str, up: str) -> Axes:
        """A panel with its words."""
        axes = self._axes[panel]
        axes.set_title(title)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        return axes


def limits_of(panels: Iterable[Sequence[Series]]) -> tuple[float, float]:
    """The same limits for all panels, with all their lines and intervals inside."""
    ends = [
        value
        for series in panels
        for line in series
        for values in (line.y, line.low, line.high)
        for value in values
    ]
    margin = 0.05 * (max(ends) - min(ends)) or 1.0
    return min(ends) - margin, max(ends) + margin


def _wrapped(words: str) -> str:
    """Of a tick, in lines."""
    return fill(words, _TICK)


def _without(*fields: str) -> dict[str, str]:
    """No such metadata: they would differ from day to day and from version to version."""
    return cast(dict[str, str], dict.fromkeys(fields))
