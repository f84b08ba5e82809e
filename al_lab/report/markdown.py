"""Tables and numbers in the report's Markdown."""

from collections.abc import Iterable, Sequence
from math import floor, isinf, isnan, log10

from al_lab.report.statistics import Interval


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = True) -> str:
    """A Markdown table; with `figures`, all columns but the first are aligned right."""
    table_lines = [
        f"| {' | '.join(header)} |",
        "|---" + ("|---:" if figures else "|---") * (len(header) - 1) + "|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(table_lines)


def percent(found: Interval) -> str:
    """An accuracy in percent with half of its interval: `83.1 ± 0.4`."""
    return _with_interval(f"{100 * found.mean:.1f}", f"{100 * found.half_width:.1f}", found)


def share(found: Interval) -> str:
    """An accuracy as in the paper's Table 1: `0.831 ± 0.004`."""
    return _with_interval(f"{found.mean:.3f}", f"{found.half_width:.3f}", found)


def points(found: Interval | None) -> str:
    """A difference in percentage points, bold where its interval leaves out 0."""
    if found is None:
        return "–"
    # No sign where it is printed as 0.
    mean = 0.0 if abs(found.mean) < 0.5e-4 else found.mean
    text = _with_interval(f"{100 * mean:+.2f}", f"{100 * found.half_width:.2f}", found)
    return f"**{text}**" if found.side and not isinf(found.half_width) else text


def p_value(p: float) -> str:
    """A p-value with two decimals."""
    return "< 0.01" if p < 0.01 else f"{p:.2f}"


def seconds(value: float) -> str:
    """A time with three significant digits in a suitable unit."""
    if isnan(value):
        return "–"
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if value >= 2 * size:
            return f"{digits(value / size)} {unit}"
    return f"{digits(value)} s"


def spread_seconds(found: Interval) -> str:
    """A mean time with half of its interval."""
    if not found.half_width > 0.005 * abs(found.mean) or isinf(found.half_width):
        return seconds(found.mean)
    places = max(0, 2 - floor(log10(abs(found.mean))))
    return f"{found.mean:,.{places}f} ± {found.half_width:,.{places}f} s"


def digits(value: float) -> str:
    """Three significant digits, without an exponent; whole numbers from 100 on."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) < 0.001:
        return "under 0.001" if value > 0 else "above -0.001"
    return f"{value:.3g}"


def tenths(value: float) -> str:
    """A count on average, with one decimal; a dash for NaN."""
    return "–" if isnan(value) else f"{value:,.1f}"


def number(value: float) -> str:
    """A count, with commas."""
    return f"{value:,.0f}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def lines(names: Iterable[str]) -> str:
    """The names of a figure's lines, which may have commas, for its alternative text."""
    return f"Lines: {'; '.join(names)}."


def counted(count: int, one: str, many: str = "") -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _with_interval(mean: str, half_width: str, found: Interval) -> str:
    if isnan(found.mean):
        return "–"
    return mean if isinf(found.half_width) else f"{mean} ± {half_width}"
