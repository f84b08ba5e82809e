"""Pictures and archives for tests, valid and hostile."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image


def picture(
    format_: str = "PNG",
    size: tuple[int, int] = (8, 6),
    *,
    mode: str = "RGB",
    shade: int = 0,
    **options: Any,
) -> bytes:
    """A picture of one color; pictures of different `shade` are different files."""
    image = Image.new(mode, size)
    if shade:
        image.putpixel((0, 0), _pixel(mode, shade))
    out = io.BytesIO()
    image.save(out, format=format_, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header gives this size, with only a few bytes of pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def write_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files below a folder; returns the folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_zip(path: Path, files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip of the files under exactly these names; returns its path."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, files: Mapping[str, bytes], mode: str = "w") -> Path:
    """Write a tar of the files under exactly these names; `mode` as in tarfile (w:gz, w:xz …)."""
    out = io.BytesIO()
    with tarfile.TarFile(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    path.write_bytes(_packed(out.getvalue(), mode))
    return path


def _packed(data: bytes, mode: str) -> bytes:
    match mode:
        case "w:gz":
            return gzip.compress(data)
        case "w:bz2":
            return bz2.compress(data)
        case "w:xz":
            return lzma.compress(data)
    return data


def _pixel(mode: str, shade: int) -> float | tuple[int, ...]:
    if mode == "L":
        return shade
    return (shade % 256, shade // 256 % 256, shade // 65_536, 0)[: len(mode)]
