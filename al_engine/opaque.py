"""Convert pictures to 8 bits a sample without transparency, as people and models see them.

People and models get the same pixels, so neither judges strokes that the other cannot see.
Transparent parts get a white background, or a black one if the drawn part is nearly white. Depends
on Pillow and numpy only.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageStat

NEARLY_WHITE: Final = 191
"""Mean lightness (0 to 255) of the drawn part above which the background is black."""

_DEPTHS: Final = (8, 10, 12, 14, 16)
"""Sample depths, in bits, that cameras and scanners store in 16-bit files."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_PNG_BITS_AT: Final = 24


@dataclass(frozen=True, slots=True)
class Opaque:
    """A picture without transparency, in a mode with 8 bits (or 1 bit) a sample."""

    picture: Image.Image
    as_stored: bool
    """Whether a browser shows the stored file the same way, on a page of any color."""


def sample_bits(data: bytes) -> int:
    """Bits a sample in a picture's file: 1, 2, 4, 8 or 16 for a PNG, 8 for all other formats."""
    if data.startswith(_PNG) and len(data) > _PNG_BITS_AT:
        return data[_PNG_BITS_AT]
    return 8


def make_opaque(image: Image.Image, *, bits: int = 8) -> Opaque:
    """Convert a decoded picture of any mode to what people and models see.

    `bits` is the sample depth of its file (`sample_bits`). 16-bit gray is reduced to 8 bits by the
    depth of its largest sample: 8, 10, 12, 14 or 16 bits.
    """
    stretched = False
    if image.mode.startswith("I"):
        flat, alpha, stretched = _of_deep_gray(image)
    elif not image.has_transparency_data:
        return Opaque(image, as_stored=True)
    elif image.mode in ("1", "L", "RGB"):
        flat, alpha = _of_clear_color(image, bits)
    else:
        colors = image if image.mode == "RGBA" else image.convert("RGBA")
        # Keep gray images gray: a gray color profile fits no other mode.
        flat = colors.convert("L" if image.mode in ("LA", "La") else "RGB")
        alpha = colors.getchannel("A")
    clear = alpha is not None and alpha.getextrema() != (255, 255)
    if alpha is not None and clear:
        flat = _on_ground(flat, alpha)
    profile = image.info.get("icc_profile")
    flat.info = {"icc_profile": profile} if profile else {}
    return Opaque(flat, as_stored=not clear and not stretched)


def _of_deep_gray(image: Image.Image) -> tuple[Image.Image, Image.Image | None, bool]:
    """Reduce gray to 8 bits; return it, its opacity mask, and whether it was brightened."""
    samples = np.asarray(image).astype(np.int32)
    clear = image.info.get("transparency")
    seen = samples != (-1 if clear is None else clear)
    largest = int(samples.max(initial=0, where=seen))
    depth = next((depth for depth in _DEPTHS if largest < 1 << depth), _DEPTHS[-1])
    gray = (samples >> (depth - 8)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(gray), None if clear is None else _mask(seen), depth < _DEPTHS[-1]


def _of_clear_color(image: Image.Image, bits: int) -> tuple[Image.Image, Image.Image]:
    """Split a picture with one transparent color into its pixels and an opacity mask."""
    flat = image.convert("RGB" if image.mode == "RGB" else "L")
    clear = np.asarray(image.info["transparency"])
    if image.mode == "1":
        clear = clear.clip(0, 1) * 255
    else:
        # The file gives the color at its own depth, while the pixels have 8 bits.
        clear = clear >> 8 if bits == 16 else clear * 255 // ((1 << bits) - 1)
    differs = np.asarray(flat) != clear
    return flat, _mask(differs.any(axis=2) if differs.ndim == 3 else differs)


def _mask(seen: npt.NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(seen.astype(np.uint8) * 255)


def _on_ground(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    drawn = ImageStat.Stat(picture.convert("L"), alpha)
    black = drawn.count[0] > 0 and drawn.mean[0] > NEARLY_WHITE
    ground = Image.new(picture.mode, picture.size, "black" if black else "white")
    ground.paste(picture, mask=alpha)
    return ground
