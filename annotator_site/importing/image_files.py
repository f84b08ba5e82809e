"""Judging one file: is it a picture that people and models can see, and how large is it?

Pure: bytes in, facts out. Neither the name nor any header is trusted: the content decides the
format, the size is limited while the file is read, the cost of decoding is bounded beforehand,
and the whole picture is decoded.
"""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from al_engine.opaque import sample_bits
from annotator_site.importing.decoding_work import (
    TooMuchWork,
    refuse_long_side,
    refuse_much_work,
)
from annotator_site.importing.display_copies import (
    DisplayCopy,
    display_copy,
    prepare,
    shown_size,
)

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_PIXELS: Final = 25_000_000
FORMATS: Final = ("JPEG", "PNG", "WEBP")
# MPO, which many phones write, is a JPEG followed by further pictures (previews, the other eye).
EXTENSIONS: Final = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
_TOO_LARGE: Final = f"more than {MAX_PIXELS // 1_000_000} megapixels"
_HEAD_BYTES: Final = 16
_CHUNK_BYTES: Final = 256 * 1024
# EXIF orientations of pictures that lie on their side.
_TURNED: Final = (5, 6, 7, 8)

# Pillow keeps the upper 8 of 16 bits a color; samples of 14 bits or fewer stay below this value.
_DARKEST_COLORS: Final = 1 << (14 - 8)

_LARGE_PIXELS: Final = 6_000_000
_FREE: Final = nullcontext()

# Pillow's warnings of damaged metadata (EXIF) are of no use to a person here. Its warning of too
# many pixels becomes an error, which `inspect_image` catches.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.simplefilter("error", Image.DecompressionBombWarning)


class BrokenImageError(ValueError):
    """A file that is no usable picture; the message gives the reason to a person."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What a picture is: file extension by content, and its size in pixels, upright."""

    extension: str
    width: int
    height: int
    copy: DisplayCopy | None = None
    """What people are shown instead; None if they are shown the file itself."""


def read_image(read: Callable[[int], bytes]) -> bytes:
    """All bytes of a picture's file, got by calls of `read(at_most)`.

    Reads only the first bytes of a file that is not a picture, and little more than
    MAX_FILE_BYTES of any file, whatever the archive's headers say. Raises BrokenImageError.
    """
    data = _head(read)
    if not data:
        raise BrokenImageError("the file is empty")
    if not _begins_like_image(bytes(data)):
        raise BrokenImageError("not a JPEG, PNG or WebP picture")
    while piece := read(_CHUNK_BYTES):
        data += piece
        if len(data) > MAX_FILE_BYTES:
            raise BrokenImageError(f"larger than {MAX_FILE_BYTES // 1024**2} MiB")
    return bytes(data)


def is_image(read: Callable[[int], bytes]) -> bool:
    """Whether a file begins like a usable picture; reads only its first bytes."""
    return _begins_like_image(bytes(_head(read)))


def inspect_image(data: bytes, *, while_large: AbstractContextManager[None] = _FREE) -> ImageFacts:
    """Decode a picture completely; return its facts and the copy that people are shown.

    Untrusted files go through `Decoders`, which calls this in a process that may die.
    `while_large` is entered while a picture is decoded that takes much memory. Raises
    BrokenImageError, and MemoryError, which may be the machine's fault.
    """
    try:
        # Before Pillow opens the file: opening reads all parts up to the pixels.
        refuse_much_work(data)
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            return _facts(image, data, while_large)
    except (BrokenImageError, MemoryError):
        raise
    except TooMuchWork as error:
        raise BrokenImageError(str(error)) from error
    except UnidentifiedImageError as error:
        raise BrokenImageError("damaged: its header cannot be read") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BrokenImageError(_TOO_LARGE) from error
    except Exception as error:
        # What Pillow raises for damaged files depends on the format and on the damage.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BrokenImageError(f"damaged: {reason[:200]}") from error


def _facts(
    image: Image.Image, data: bytes, while_large: AbstractContextManager[None]
) -> ImageFacts:
    # The size comes from the header: no pixel has been decoded yet.
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BrokenImageError(_TOO_LARGE)
    refuse_long_side(width, height)
    extension = EXTENSIONS[image.format or ""]
    if extension != "jpg" and getattr(image, "is_animated", False):
        raise BrokenImageError("an animation: save one picture of it")
    if extension == "png":
        # Browsers refuse a PNG with a wrong checksum; decoding alone does not notice it.
        with Image.open(BytesIO(data), formats=("PNG",)) as again:
            again.verify()
    with while_large if width * height > _LARGE_PIXELS else _FREE:
        # A JPEG is decoded at a half, a quarter or an eighth of its size if that is enough for
        # the copy; the whole file is still read and checked.
        image.draft(None, shown_size(width, height))
        image.load()
        _refuse_hollow_colors(image, data)
        orientation = _orientation(image)
        if orientation in _TURNED:
            width, height = height, width
        prepared = prepare(image, data, orientation=orientation, size=(width, height))
    return ImageFacts(extension, width, height, display_copy(prepared, data, extension))


def _refuse_hollow_colors(image: Image.Image, data: bytes) -> None:
    if sample_bits(data) != 16 or image.mode not in ("RGB", "RGBA", "LA"):
        return
    colors = image.convert("L" if image.mode == "LA" else "RGB")
    if np.asarray(colors).max() < _DARKEST_COLORS:
        raise BrokenImageError(
            "16 bits a color of which only the lower 14 or fewer are used, so that it looks "
            "black: save it with 8 bits a color"
        )


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        # The picture is sound, its EXIF is damaged: show it as stored.
        return 1
    return value if isinstance(value, int) else 1


def _head(read: Callable[[int], bytes]) -> bytearray:
    data = bytearray()
    while len(data) < _HEAD_BYTES and (piece := read(_HEAD_BYTES - len(data))):
        data += piece
    return data


def _begins_like_image(head: bytes) -> bool:
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
    )  # fmt: skip
