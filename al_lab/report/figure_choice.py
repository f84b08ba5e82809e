"""Which figures a report has: four at most, so that a reader sees the most telling ones.

Sections give their figures a rank, the most telling ones 0. Figures of sections that the
configuration names come before those of sections that every report has; then rank decides, then
the order of the report. So each named section has its first figures before any has its second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from al_lab.report.figures import Drawing

FIGURES_PER_REPORT: Final = 4


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that a report may have.

    `name`: of its file, without the suffix. `alt`: what it shows, for those who do not see it.
    `caption`: stands above it, for figures that do not explain themselves.
    """

    name: str
    alt: str
    draw: Callable[[], Drawing]
    rank: int = 0
    caption: str = ""


Part = str | Figure
"""Of a section: text in Markdown, or a figure."""


def choose_figures(
    named: Sequence[Sequence[Part]], always: Sequence[Sequence[Part]]
) -> list[Figure]:
    """The figures that a report has, of its sections' parts."""
    ranked = [
        *sorted(_figures_of(named), key=lambda figure: figure.rank),
        *sorted(_figures_of(always), key=lambda figure: figure.rank),
    ]
    # A configuration can name a section for a key and, without one, for all keys.
    distinct: dict[str, Figure] = {}
    for figure in ranked:
        distinct.setdefault(figure.name, figure)
    return list(distinct.values())[:FIGURES_PER_REPORT]


def _figures_of(sections: Sequence[Sequence[Part]]) -> list[Figure]:
    return [part for part in chain.from_iterable(sections) if isinstance(part, Figure)]
