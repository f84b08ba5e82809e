"""What all drawings have in common: colours, and names beside lines. The standard library alone."""

from collections.abc import Sequence
from typing import Any, Final

# Dark enough for words on white, and told apart with the common kinds of colour blindness.
COLOURS: Final = (
    *("#332288", "#0077bb", "#44aa99", "#117733", "#999933", "#cc8800"),
    *("#cc6677", "#882255", "#aa4499", "#ee5500", "#33aadd", "#777777"),
)
BASELINE: Final = "#000000"
INK: Final = "#333333"
PALE: Final = "#dddddd"

STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "nowait",
    # Text as text: smaller, and a reader can search it.
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    # Measured with the first, which comes with matplotlib; the others for readers without it.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
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


def few(count: int) -> list[str]:
    """So many colours, neighbours of the list far apart in hue; beyond twelve they repeat."""
    order = (1, 9, 3, 8, 5, 0, 10, 7, 2, 6, 4, 11)
    return [COLOURS[order[n % len(order)]] for n in range(count)]


def spread(wanted: Sequence[float], apart: float) -> list[float]:
    """These positions, moved so that each two are `apart` at least, in the same order.

    Neighbours that are too close become a block around the mean of where they wanted to be.
    """
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    blocks: list[list[int]] = []
    for n in order:
        blocks.append([n])
        while len(blocks) > 1 and _last(blocks[-2], wanted, apart) + apart > _first(
            blocks[-1], wanted, apart
        ):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    placed = [0.0] * len(wanted)
    for block in blocks:
        for place, n in enumerate(block):
            placed[n] = _first(block, wanted, apart) + place * apart
    return placed


def _first(block: Sequence[int], wanted: Sequence[float], apart: float) -> float:
    return sum(wanted[n] for n in block) / len(block) - apart * (len(block) - 1) / 2


def _last(block: Sequence[int], wanted: Sequence[float], apart: float) -> float:
    return _first(block, wanted, apart) + apart * (len(block) - 1)
