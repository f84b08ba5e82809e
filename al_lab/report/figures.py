"""Drawings of a report: WebP with a white ground, the same bytes for the same numbers.

Each line has its name at its end, and whatever a color says, a name, a marker or a dash says too.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from al_lab.report.palette import BASELINE, STYLE, space_out
from al_lab.report.webp import compress

MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")

SUFFIX: Final = ".webp"

# Tried in this order until a file is small enough. A README shows figures some 8 inches wide, and
# 96 dots to each, so wide figures have nearly two dots for each that is shown.
_DOTS_PER_INCH: Final = (144, 96)
# Inches: the mean width of a letter beside a panel, the height of a line of words, and what is
# below a panel with one line of words.
_LETTER_INCHES: Final = 0.078
_LINE_INCHES: Final = 0.145
_BELOW_PANEL_INCHES: Final = 0.52
# The words of a tick are wrapped after so many letters.
_TICK_LETTERS: Final = 14
# How far apart lines are drawn at the same tick, so that each interval is seen, in ticks.
_ASIDE_TICKS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Series:
    """A line: `y` over rising `x`; its intervals, if any, are from `low` to `high`."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    color: str
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    marker: str = "o"
    dashed: bool = False

    @property
    def is_baseline(self) -> bool:
        """Whether it is drawn black and thick."""
        return self.color == BASELINE


class Drawing:
    """Panels of the same size in rows, each with room for words at its right."""

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
        """`words` are placed beside a panel, `ticks` below it.

        In inches: `width` and `height` of a panel, the room on its `left`, and for its title,
        `top`.
        """
        with rc_context(STYLE):
            self._columns = min(2, panels)
            self._left, self._top = left, top
            self._width, self._height = width, height
            lines = max((_wrapped(words).count("\n") for words in ticks), default=0)
            self._below = _BELOW_PANEL_INCHES + _LINE_INCHES * lines
            self._beside = 0.3 + _LETTER_INCHES * max(map(len, words), default=0)
            self._rows = -(-panels // self._columns)
            self._figure = Figure(
                figsize=(
                    self._columns * (left + width + self._beside),
                    self._rows * (top + height + self._below),
                )
            )
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
        """Draw lines with their names at the right; `limits` of y.

        With `ticks`, words for x = 0, 1, 2 and so on, intervals are drawn as bars, else as bands.
        """
        with rc_context(STYLE):
            axes = self.named(panel, title, across, up)
            for number, line in enumerate(series):
                aside = (number - (len(series) - 1) / 2) * _ASIDE_TICKS if ticks else 0.0
                x = [at + aside for at in line.x]
                width = 2.2 if line.is_baseline else 1.5
                style = (0, (4, 2)) if line.dashed else "-"
                axes.plot(
                    *(x, line.y),
                    color=line.color,
                    linewidth=width,
                    linestyle=style,
                    marker=line.marker,
                    markersize=3.2,
                )
                if line.low and ticks:
                    axes.vlines(x, line.low, line.high, color=line.color, linewidth=0.9)
                elif line.low:
                    axes.fill_between(
                        x, line.low, line.high, color=line.color, alpha=0.12, linewidth=0
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
        """Write each line's name right of the panel, connected with the line's end."""
        bottom, top = axes.get_ylim()
        left, right = axes.get_xlim()
        wanted = [(line.y[-1] - bottom) / (top - bottom) for line in series]
        for line, start, at in zip(
            series, wanted, space_out(wanted, _LINE_INCHES / self._height), strict=True
        ):
            last = (line.x[-1] - left) / (right - left)
            axes.plot(
                *([last, 1.0, 1 + 0.12 / self._width], [start, start, at]),
                transform=axes.transAxes,
                color=line.color,
                linewidth=0.6,
                linestyle=":" if last < 0.95 else "-",
                clip_on=False,
            )
            axes.text(
                *(1 + 0.16 / self._width, at, line.name),
                transform=axes.transAxes,
                color=line.color,
                verticalalignment="center",
                fontweight="bold" if line.is_baseline else "normal",
            )

    def key(self, panel: int, entries: Sequence[tuple[str, str, str]]) -> None:
        """Explain markers and colors right of a panel: (words, marker, color)."""
        with rc_context(STYLE):
            axes = self._axes[panel]
            for number, (words, marker, color) in enumerate(entries):
                at = 1 - (number + 0.5) * 1.3 * _LINE_INCHES / self._height
                axes.plot(
                    *([1 + 0.16 / self._width], [at]),
                    transform=axes.transAxes,
                    marker=marker,
                    color=color,
                    markersize=5,
                    clip_on=False,
                )
                axes.text(
                    *(1 + 0.28 / self._width, at, words),
                    transform=axes.transAxes,
                    verticalalignment="center",
                )

    def save(self, folder: Path, name: str) -> None:
        """Write `name`.webp."""
        pictures = (self._draw(dots) for dots in _DOTS_PER_INCH)
        (folder / f"{name}{SUFFIX}").write_bytes(compress(pictures))

    def _draw(self, dots_per_inch: int) -> Image.Image:
        file = io.BytesIO()
        with rc_context(STYLE):
            self._figure.savefig(file, format="png", dpi=dots_per_inch)
        return Image.open(file)

    def named(self, panel: int, title: str, across: str, up: str) -> Axes:
        """A panel, with its title and axes named."""
        axes = self._axes[panel]
        axes.set_title(title)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        return axes


def limits_of(panels: Iterable[Sequence[Series]]) -> tuple[float, float]:
    """Common limits of y for all panels, which contain all lines and intervals."""
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
    """The words of a tick in lines."""
    return fill(words, _TICK_LETTERS)
