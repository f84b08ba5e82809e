"""Exports of several files: written into a folder that appears whole, or into a ZIP stream."""

import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast

from al_engine.outputs import OutputError, failures_of

_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest that a ZIP can hold; the same for all, so that the same state is the same bytes."""


class Tree(Protocol):
    """Files under relative paths, one written after the other."""

    def file(self, path: str) -> AbstractContextManager[BinaryIO]:
        """A file to write, as a context manager; `path` has `/` between its parts."""


class ZipTree:
    """A ZIP that is written from its start to its end, without compression.

    Images and Parquet are compressed already.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @contextmanager
    def file(self, path: str) -> Iterator[BinaryIO]:
        """See Tree."""
        entry = zipfile.ZipInfo(path, _DATE)
        entry.external_attr = 0o644 << 16
        with self._archive.open(entry, "w", force_zip64=True) as file:
            yield cast("BinaryIO", file)


class FolderTree:
    """A folder of files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def file(self, path: str) -> Iterator[BinaryIO]:
        """See Tree."""
        place = self._folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def zip_tree(file: BinaryIO) -> Iterator[ZipTree]:
    """A tree in a ZIP that is written to a file or a pipe, with the same bytes in both."""
    with zipfile.ZipFile(cast("BinaryIO", _Stream(file)), "w", zipfile.ZIP_STORED) as archive:
        yield ZipTree(archive)


@contextmanager
def folder_tree(target: str) -> Iterator[FolderTree]:
    """A new folder, which appears under its name once it is whole. Raises OutputError."""
    place = Path(target)
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        raise OutputError(f"--output {target} is there already: name a new folder, or a .zip file.")
    part = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with failures_of(target):
            part.mkdir(parents=True)
            yield FolderTree(part)
            part.replace(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


class _Stream:
    """A file that cannot be sought in: entries are then followed by their sizes everywhere."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        """Write all of it."""
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """Hand on what was written."""
        self._file.flush()
