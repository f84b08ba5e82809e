"""Stripping metadata from an image file: places, people, previews, films.

Phones write into a file where and when the photograph was taken; cameras and editors add
previews, comments and edit histories. Pure: bytes in, bytes out; the pixels are not changed.
"""

import re
import struct
from collections.abc import Iterator
from typing import Final

# The parts that a decoder needs to draw the picture in the right colors; the rest is left out.
_PNG_KEPT: Final = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP sBIT bKGD pHYs".split()
)
_WEBP_KEPT: Final = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"))
# Flags of VP8X that announce EXIF and XMP.
_WEBP_NOTES: Final = 0b0000_1100
_SOI: Final = b"\xff\xd8"
_EOI: Final = 0xD9
_SOS: Final = 0xDA
_COMMENT: Final = 0xFE
_APPLICATION: Final = range(0xE0, 0xF0)
_COLORS: Final = ((0xE0, b"JFIF\0"), (0xE2, b"ICC_PROFILE\0"), (0xEE, b"Adobe"))
# In the pixels of a JPEG a 0xFF is followed by 0x00, a restart marker or another 0xFF; any other
# byte after it is the next marker, where the pixels end.
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def bare_file(data: bytes, extension: str) -> bytes | None:
    """The same picture in a file without metadata; None where the file cannot be parsed.

    Equal to `data` if that has no metadata. `extension`: jpg, png or webp, by content.
    """
    parts = {"jpg": _jpeg, "png": _png, "webp": _webp}[extension]
    try:
        return b"".join(parts(data))
    except (ValueError, IndexError, struct.error):
        return None


def _jpeg(data: bytes) -> Iterator[bytes]:
    yield _SOI
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker where one should be")
        while data[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = data[at + 1]
        if marker == _EOI:
            # Phones append further pictures and whole films after the end of the image.
            yield data[at : at + 2]
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if marker == _SOS:
            found = _NEXT_MARKER.search(data, end)
            if found is None:
                raise ValueError("the pixels have no end")
            end = found.start()
        if not _is_beside(marker, data[at + 4 : at + 16]):
            yield data[at:end]
        at = end


def _is_beside(marker: int, begins: bytes) -> bool:
    if marker in _APPLICATION:
        return not any(marker == kind and begins.startswith(name) for kind, name in _COLORS)
    return marker == _COMMENT


def _png(data: bytes) -> Iterator[bytes]:
    yield data[:8]
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError("a chunk is cut short")
        if kind in _PNG_KEPT:
            yield data[at:end]
        at = end


def _webp(data: bytes) -> Iterator[bytes]:
    (length,) = struct.unpack_from("<I", data, 4)
    at, end = 12, 8 + length
    if end > len(data):
        raise ValueError("the file is cut short")
    kept = []
    while at < end:
        kind, size = struct.unpack_from("<4sI", data, at)
        after = at + 8 + size + size % 2
        if kind in _WEBP_KEPT:
            chunk = bytearray(data[at:after])
            if kind == b"VP8X":
                chunk[8] &= ~_WEBP_NOTES
            kept.append(bytes(chunk))
        at = after
    body = b"".join(kept)
    yield b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
