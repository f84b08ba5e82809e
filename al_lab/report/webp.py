"""Drawings as small WebP files: few colors without loss, so that letters and lines stay sharp."""

import io
from collections.abc import Iterable
from typing import Final

from PIL import Image

FIGURE_BYTES: Final = 60_000
"""The largest file of a figure: a report with four of them opens at once."""

# Tried in this order; lines, their names and bands need few.
_PALETTE_COLORS: Final = (128, 64, 32)
# Of WebP's effort without loss, which costs seconds beyond that for a few percent.
_EFFORT: Final = {"quality": 80, "method": 4}


def compress(pictures: Iterable[Image.Image], *, limit: int = FIGURE_BYTES) -> bytes:
    """The first of these that fits into `limit` bytes, with as many colors as fit.

    `pictures` are the same drawing from the largest to the smallest, at least one; the smallest one
    with the fewest colors is taken where none fits.
    """
    encoded = b""
    for picture in pictures:
        for colors in _PALETTE_COLORS:
            encoded = _encode(picture, colors)
            if len(encoded) <= limit:
                return encoded
    return encoded


def _encode(picture: Image.Image, colors: int) -> bytes:
    plain = picture.convert("RGB")
    reduced = plain.quantize(
        colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    ).convert("RGB")
    file = io.BytesIO()
    reduced.save(file, "WEBP", lossless=True, **_EFFORT)
    return file.getvalue()
