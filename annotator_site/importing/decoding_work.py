"""How much work a picture's file asks for, told from its parts before anything is decoded.

A file of a few kB can keep a decoder busy for minutes: each further scan of a progressive JPEG goes
through the whole picture again, and millions of empty parts are read one by one. Pure.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final

MAX_SCANS: Final = 100
"""Scans of a JPEG; usual programs write 1 to 20."""
MAX_SCANNED_PIXELS: Final = 1_000_000_000
"""Scans times pixels of a JPEG: about a second of decoding; 40 scans of 25 megapixels."""
MAX_PARTS: Final = 20_000
"""Chunks or segments of a file; 64 MiB of pixels in usual chunks of 8 KiB are 8,192."""
MAX_SIDE: Final = 65_535
"""Pixels of the longer side, of any format as of a JPEG: each row costs time of its own."""

# Neither in the pixels nor without a length, as restarts are.
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
_SOS: Final = 0xDA
_EOI: Final = 0xD9
# C4, C8 and CC are among them and say something else.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class TooMuchWork(ValueError):
    """Decoding would take too long; the message is the reason, for a person."""


def refuse_much_work(data: bytes) -> None:
    """Raise TooMuchWork for the file of a JPEG, PNG or WebP that would take seconds to decode.

    Takes milliseconds. A damaged file is no matter here: as far as it goes, it is bounded.
    """
    if data.startswith(b"\xff\xd8"):
        _judge_jpeg(data)
        return
    png = data.startswith(b"\x89PNG")
    for count, _ in enumerate(_chunks(data, ">I4x" if png else "<4xI", extra=4 if png else 0), 1):
        _count_part(count)


def refuse_long_side(width: int, height: int) -> None:
    """Raise TooMuchWork for a picture whose longer side has too many pixels."""
    if max(width, height) > MAX_SIDE:
        raise TooMuchWork(f"a side of more than {MAX_SIDE:,} pixels: cut the picture into pieces")


def _judge_jpeg(data: bytes) -> None:
    scans, pixels = 0, 0
    for count, (marker, at) in enumerate(_segments(data), 1):
        _count_part(count)
        if marker in _FRAMES and at + 7 <= len(data):
            height, width = struct.unpack_from(">HH", data, at + 3)
            pixels = max(pixels, width * height)
        scans += marker == _SOS
        if scans > MAX_SCANS or scans * pixels > MAX_SCANNED_PIXELS:
            raise TooMuchWork(
                "a JPEG of so many scans that it would take seconds to show: save it anew, as an "
                "ordinary (baseline) JPEG"
            )


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """The markers of a JPEG and where their lengths stand, up to its end.

    Found as a decoder finds them, that goes on behind damage: at the next marker.
    """
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = data[found.start() + 1], found.end()
        if marker == _EOI:
            return
        yield marker, at
        if at + 2 > len(data):
            return
        at += max(2, int.from_bytes(data[at : at + 2]))


def _chunks(data: bytes, head: str, *, extra: int) -> Iterator[int]:
    """Where the chunks of a PNG or WebP begin; `head` reads a length out of their first 8 bytes.

    `extra`: bytes behind the data of a chunk, 4 in a PNG; in a WebP they are filled to even ones.
    """
    at = 8 if extra else 12
    while at + 8 <= len(data):
        yield at
        (length,) = struct.unpack_from(head, data, at)
        at += 8 + length + (extra or length % 2)


def _count_part(count: int) -> None:
    if count > MAX_PARTS:
        raise TooMuchWork(f"more than {MAX_PARTS:,} parts in one file: save it anew")
