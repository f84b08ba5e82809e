"""How much work decoding an image file takes, judged from its parts before it is decoded.

A file of a few kB can keep a decoder busy for minutes: each scan of a progressive JPEG goes
through the whole picture again, and millions of empty parts are read one by one. Pure.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final

MAX_SCANS: Final = 100
"""Scans of a JPEG; usual programs write 1 to 20."""
MAX_SCANNED_PIXELS: Final = 1_000_000_000
"""Scans times pixels of a JPEG: about a second of decoding, as 40 scans of 25 megapixels."""
MAX_PARTS: Final = 20_000
"""Chunks or segments of a file; 64 MiB of pixels in usual chunks of 8 KiB are 8,192."""
MAX_SIDE: Final = 65_535
"""Pixels of the longer side; a JPEG's limit, used for all formats because each row costs time."""

# Markers with a length: neither bytes of the pixels nor restarts.
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
_SOS: Final = 0xDA
_EOI: Final = 0xD9
# Start-of-frame markers; C4, C8 and CC lie between them and mean something else.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class TooMuchWork(ValueError):
    """Decoding would take too long; the message gives the reason to a person."""


def refuse_much_work(data: bytes) -> None:
    """Raise TooMuchWork for a JPEG, PNG or WebP file that would take seconds to decode.

    Takes milliseconds. Damage is no reason to refuse a file here: decoding it finds the damage.
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
    """The markers of a JPEG and the positions of their lengths, up to its end.

    Like a decoder that goes on after damage, this looks for the next marker.
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
    """Where the chunks of a PNG or WebP begin.

    `head`: struct format that reads a chunk's length from its first 8 bytes. `extra`: bytes after
    a chunk's data, 4 in a PNG; 0 for a WebP, whose chunks are padded to an even length.
    """
    at = 8 if extra else 12
    while at + 8 <= len(data):
        yield at
        (length,) = struct.unpack_from(head, data, at)
        at += 8 + length + (extra or length % 2)


def _count_part(count: int) -> None:
    if count > MAX_PARTS:
        raise TooMuchWork(f"more than {MAX_PARTS:,} parts in one file: save it anew")
