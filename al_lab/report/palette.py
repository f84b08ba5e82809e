"""What all drawings have in common: colors, and where names beside lines go.

The standard library alone.
"""

from collections.abc import Sequence
from typing import Any, Final

# Dark enough for words on white, and told apart with the common kinds of color blindness.
COLORS: Final = (
    *("#332288", "#0077bb", "#44aa99", "#117733", "#999933", "#cc8800"),
    *("#cc6677", "#882255", "#aa4499", "#ee5500", "#33aadd", "#777777"),
)
BASELINE: Final = "#000000"
INK: Final = "#333333"
PALE: Final = "#dddddd"

STYLE: Final[dict[Any, Any]] = {
    # It comes with matplotlib, so figures look the same on every machine.
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
}
"""Of matplotlib."""


def pick_colors(count: int) -> list[str]:
    """`count` colors, of which neighbors differ most in hue; beyond twelve they repeat."""
    order = (1, 9, 3, 8, 5, 0, 10, 7, 2, 6, 4, 11)
    return [COLORS[order[n % len(order)]] for n in range(count)]


def space_out(wanted: Sequence[float], apart: float) -> list[float]:
    """Positions near those wanted, in the same order, each two at least `apart`.

    Neighbors that are too close become a block around the mean of their wanted positions.
    """
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    blocks: list[list[int]] = []
    for n in order:
        blocks.append([n])
        while len(blocks) > 1 and _last(blocks[-2], wanted, apart) + apart > _first(
            blocks[-1], wanted, apart
        ):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    positions = [0.0] * len(wanted)
    for block in blocks:
        for place, n in enumerate(block):
            positions[n] = _first(block, wanted, apart) + place * apart
    return positions


def _first(block: Sequence[int], wanted: Sequence[float], apart: float) -> float:
    return sum(wanted[n] for n in block) / len(block) - apart * (len(block) - 1) / 2


def _last(block: Sequence[int], wanted: Sequence[float], apart: float) -> float:
    return _first(block, wanted, apart) + apart * (len(block) - 1)
