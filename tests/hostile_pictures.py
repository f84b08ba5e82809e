"""Pictures whose files take more work to decode than their size suggests."""

import io
import struct
import zlib

from pictures import picture
from PIL import Image


def jpeg(size: tuple[int, int], mode: str = "RGB", **options: bool) -> bytes:
    """A JPEG of one color."""
    out = io.BytesIO()
    Image.new(mode, size, 90).save(out, "JPEG", **options)
    return out.getvalue()


def scanned(size: tuple[int, int], scans: int, *, mode: str = "RGB", between: bytes = b"") -> bytes:
    """A progressive JPEG whose last scan is repeated `scans` times, each after `between`."""
    data = jpeg(size, mode, progressive=True)
    last_scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + (between + last_scan) * scans + data[-2:]


def chunk(name: bytes, data: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *, behind_header: bytes = b"") -> bytes:
    """A black PNG of any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pack = zlib.compressobj(1)
    rows = [pack.compress((b"\0" + bytes(width)) * min(1000, height - at))
            for at in range(0, height, 1000)]  # fmt: skip
    pixels = chunk(b"IDAT", b"".join(rows) + pack.flush())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + behind_header + pixels + chunk(b"IEND")


def riff(*, chunks: int) -> bytes:
    """A WebP with this many empty chunks after the picture."""
    data = picture("WEBP")
    body = data[12:] + b"JUNK\0\0\0\0" * chunks
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
