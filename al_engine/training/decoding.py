"""From the bytes of a picture to a square of pixels."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from al_engine.opaque import make_opaque, sample_bits

FORMATS = ("JPEG", "PNG", "WEBP")

# Largest ratio of the longer side to the shorter at which a picture is squeezed into a square: so
# little distortion costs less than pixels lost to a black border.
SQUEEZED_RATIO = 1.1


class UndecodableImage(ValueError):
    """The bytes are not a usable picture; the message is the reason, for a person."""


def decode(data: bytes, *, image_size: int) -> npt.NDArray[np.uint8]:
    """The whole picture as uint8 (3, S, S), rotated as its EXIF orientation says.

    Nearly square pictures are resized to the square, others are fitted into it on black: nothing is
    cut off, because the object to be labeled may lie at the edge. Transparency and 16-bit samples
    are converted as for the pictures shown to people (`al_engine.opaque`).
    Raises UndecodableImage, and MemoryError, which says nothing about the picture.
    """
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            # JPEG decodes much faster at a half, a quarter or an eighth of its size; twice the
            # wanted size leaves the resizing below enough pixels to average.
            image.draft("RGB", (2 * image_size, 2 * image_size))
            image.load()
            upright = ImageOps.exif_transpose(image)
        return pixels_of(upright, image_size=image_size, bits=sample_bits(data))
    except UnidentifiedImageError as error:
        raise UndecodableImage("not a JPEG, PNG or WebP picture") from error
    except Image.DecompressionBombError as error:
        raise UndecodableImage("too many pixels; make the picture smaller") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        # What Pillow raises for damaged files depends on the format and on the damage.
        raise UndecodableImage(f"damaged picture: {error}") from error


def decode_all(
    places: list[int], read: Callable[[int], bytes], pool: Executor, *, image_size: int
) -> Iterator[npt.NDArray[np.uint8] | UndecodableImage | FileNotFoundError | MemoryError]:
    """The pictures at these places in order, decoded by the threads of `pool`; or why one is not.

    `read` returns the bytes of a place's file. Its errors are raised, but for FileNotFoundError.
    """

    def load(
        place: int,
    ) -> npt.NDArray[np.uint8] | UndecodableImage | FileNotFoundError | MemoryError:
        try:
            return decode(read(place), image_size=image_size)
        except (UndecodableImage, FileNotFoundError, MemoryError) as error:
            return error

    return pool.map(load, places)


def pixels_of(picture: Image.Image, *, image_size: int, bits: int = 8) -> npt.NDArray[np.uint8]:
    """A picture that was decoded elsewhere, as `decode` would return it: uint8 (3, S, S).

    `bits`: bits per sample in its file.
    """
    square = _squared(make_opaque(picture, bits=bits).picture.convert("RGB"), image_size)
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def _squared(image: Image.Image, side: int) -> Image.Image:
    """The picture on a square of `side` px.

    Pillow's bilinear filter averages over all source pixels when it shrinks a picture (no
    aliasing), and interpolates when it enlarges one: the hard block edges of nearest-neighbor
    enlarging would be patterns that are not in the picture.
    """
    if image.size == (side, side):
        return image
    longer, shorter = max(image.size), min(image.size)
    if longer <= SQUEEZED_RATIO * shorter:
        return image.resize((side, side), Image.Resampling.BILINEAR)
    return ImageOps.pad(image, (side, side), Image.Resampling.BILINEAR, color=(0, 0, 0))
