"""The file shown to annotators: the image's own if it is small and without metadata, else a copy.

A copy is upright and of a size for screens. It is opaque, so that it looks the same on a light
page, on a dark page and to the model. It carries no metadata: no place, no preview. Pure.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageCms

from al_engine.opaque import make_opaque, sample_bits
from annotator_site.importing.bare_files import bare_file

LONGEST_SIDE: Final = 1600
"""Pixels of the longer side of a copy; strips may be longer, see `shown_size`."""

SMALL_SIDE: Final = 256
"""A picture with no longer side keeps every pixel, because people look at it enlarged."""

_STRIP_SIDE: Final = 400
_STRIP_LENGTH: Final = 8_000
_LIGHT_BYTES: Final = 64 * 1024
_QUALITY: Final = 85
# Takes half the time of the default, 4; the files are 3 % larger.
_METHOD: Final = 2
# Drawings, text and masks have few colors in large areas; lossy compression would blur their
# edges. A photograph reduced to few colors does not compress as well, so both limits must hold.
_DRAWING_COLORS: Final = 256
_DRAWING_BYTES_A_PIXEL: Final = 0.25
_SRGB: Final = ImageCms.createProfile("sRGB")
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class DisplayCopy:
    """The file that people are shown instead of the image's own; size in pixels."""

    data: bytes
    extension: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A decoded picture, upright and at the size at which it is shown."""

    picture: Image.Image
    as_it_was: bool
    """Neither turned nor made smaller nor put on a background."""
    drawing: bool


def shown_size(width: int, height: int) -> tuple[int, int]:
    """The size in pixels at which an upright picture is shown: at most LONGEST_SIDE a side.

    A long strip (a receipt, a panorama) would become too thin: it keeps up to 400 px across, as
    far as it stays within 8,000 px in length. A picture is never enlarged.
    """
    longer, shorter = max(width, height), min(width, height)
    strip = min(_STRIP_SIDE / shorter, _STRIP_LENGTH / longer)
    scale = min(1.0, max(LONGEST_SIDE / longer, strip))
    return max(1, round(width * scale)), max(1, round(height * scale))


def prepare(
    image: Image.Image, data: bytes, *, orientation: int, size: tuple[int, int]
) -> Prepared:
    """Bring a decoded picture to the size at which it is shown; `image` need not be kept.

    `data`: the picture's file. `orientation`: 1 to 8, as in EXIF. `size`: width and height of the
    whole picture, upright; `image` may have been decoded to a smaller size.
    """
    light = len(data) < _DRAWING_BYTES_A_PIXEL * size[0] * size[1]
    seen = make_opaque(image, bits=sample_bits(data))
    picture, as_it_was = seen.picture, seen.as_stored
    drawing = light and _has_few_colors(picture)
    shown = shown_size(*size)
    if shown != size:
        lying = shown[::-1] if orientation in (5, 6, 7, 8) else shown
        picture = _for_screens(picture).resize(lying, Image.Resampling.LANCZOS)
        as_it_was = False
    if orientation in _TURNS:
        picture = _for_screens(picture).transpose(_TURNS[orientation])
        as_it_was = False
    return Prepared(picture, as_it_was, drawing)


def display_copy(prepared: Prepared, data: bytes, extension: str) -> DisplayCopy | None:
    """The copy of a picture that people are shown; None where they are shown the file itself.

    `data` and `extension`: the picture's file.
    """
    size = prepared.picture.size
    small = max(size) <= SMALL_SIDE
    bare = bare_file(data, extension) if prepared.as_it_was else None
    if bare is None or not (small or len(bare) <= _LIGHT_BYTES):
        encoded = _encode(prepared.picture, lossless=small or prepared.drawing)
        if bare is None or len(encoded) < len(bare):
            return DisplayCopy(encoded, "webp", *size)
    return None if bare == data else DisplayCopy(bare, extension, *size)


def _encode(picture: Image.Image, *, lossless: bool) -> bytes:
    out = BytesIO()
    _for_screens(picture).save(
        out, "WEBP", quality=_QUALITY, method=_METHOD, lossless=lossless, exact=lossless
    )
    return out.getvalue()


def _has_few_colors(image: Image.Image) -> bool:
    if image.mode in ("1", "P"):
        return True
    return image.mode == "RGB" and image.getcolors(_DRAWING_COLORS) is not None


def _for_screens(image: Image.Image) -> Image.Image:
    """An opaque picture as RGB in the sRGB color space."""
    profile = image.info.get("icc_profile")
    turned = None
    if profile and image.mode in ("RGB", "L", "CMYK"):
        try:
            colors = ImageCms.ImageCmsProfile(BytesIO(profile))
            turned = ImageCms.profileToProfile(image, colors, _SRGB, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # the profile is damaged, or made for another color mode than the picture's
    picture = turned or image.convert("RGB")
    picture.info.clear()
    return picture
