"""Curves as an SVG, without a plotting library: axes, and one line per series with its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from al_lab.report.palette import BASELINE, COLORS, space_out

WIDTH: Final = 760
HEIGHT: Final = 420
LEFT, RIGHT, TOP, BOTTOM = 56, 170, 56, 44
LINE_HEIGHT: Final = 15


@dataclass(frozen=True, slots=True)
class Line:
    """A series: `points` are (x, y), x ascending; the baseline is drawn black and thick."""

    name: str
    points: Sequence[tuple[float, float]]
    baseline: bool = False


def chart(title: str, lines: Sequence[Line], *, across: str, up: str) -> str:
    """An SVG of these lines, at least one with two points; `across` and `up` name the axes."""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    ticks_x, ticks_y = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))
    low_x, high_x = min(xs), max(xs)
    low_y, high_y = min(ticks_y[0], *ys), max(ticks_y[-1], *ys)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def at_x(x: float) -> float:
        return LEFT + (x - low_x) / (high_x - low_x) * (right - LEFT)

    def at_y(y: float) -> float:
        return bottom - (y - low_y) / (high_y - low_y) * (bottom - TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 20, title, size=14),
        _text((LEFT + right) / 2, HEIGHT - 8, across, anchor="middle"),
        _text(LEFT, TOP - 12, up),
    ]
    for y in ticks_y:
        parts += [
            f'<path d="M{LEFT} {at_y(y):.1f}H{right}" stroke="#dddddd"/>',
            _text(LEFT - 6, at_y(y) + 4, f"{y:g}", anchor="end"),
        ]
    parts += [
        _text(at_x(x), bottom + 18, f"{x:,g}", anchor="middle")
        for x in ticks_x
        if low_x <= x <= high_x
    ]
    ends = space_out([at_y(line.points[-1][1]) for line in lines], LINE_HEIGHT)
    colors = iter(COLORS * (1 + len(lines) // len(COLORS)))
    for line, end in zip(lines, ends, strict=True):
        color, width = (BASELINE, 2.5) if line.baseline else (next(colors), 1.5)
        path = "L".join(f"{at_x(x):.1f} {at_y(y):.1f}" for x, y in line.points)
        last = at_y(line.points[-1][1])
        parts += [
            f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="{width}"/>',
            f'<path d="M{right} {last:.1f}L{right + 14} {end:.1f}" stroke="{color}"/>',
            _text(right + 18, end + 4, line.name, color=color),
        ]
    return "\n".join([*parts, "</svg>", ""])


def ticks(low: float, high: float) -> list[float]:
    """About five round numbers, evenly spaced, from at most `low` to at least `high`."""
    rough = (high - low or 1.0) / 5
    power = 10.0 ** _floor_log10(rough)
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))
    first = int(low // step)
    last = int(-(-high // step))
    return [round(step * n, 10) for n in range(first, max(last, first + 1) + 1)]


def _floor_log10(number: float) -> int:
    return int(f"{number:e}".split("e")[1])


def _text(
    x: float,
    y: float,
    words: str,
    *,
    anchor: str = "start",
    size: int = 12,
    color: str = "#333333",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'font-family="sans-serif" fill="{color}">{escape(words)}</text>'
    )
