"""The files of a folder, a zip or a tar, by name.

No file is written under a name of an archive, so such names are harmless: files are read within a
zip; those of a tar are copied into one temporary file and found there by their offsets.
"""

import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from al_engine.training.decoding import UndecodableImage

# Larger files are not read: no picture and no index of a data set has this size.
MAX_FILE_BYTES: Final = 256 * 2**20
# Raised by the standard library for archives that are truncated, damaged or encrypted.
DAMAGE_ERRORS: Final = (
    *(EOFError, NotImplementedError, OSError, RuntimeError, ValueError),
    *(lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, zlib.error),
)


class NoData(ValueError):
    """Images or labels cannot be read; the message says what is wrong and what to do."""


class Files(Protocol):
    """The files of a folder or an archive. Names are relative, with slashes; litter is left out."""

    @property
    def names(self) -> Collection[str]:
        """The names of all files."""

    def read(self, name: str) -> bytes:
        """The bytes of a file; raises UndecodableImage with the reason."""


@contextmanager
def open_files(path: Path, scratch: Path) -> Iterator[Files]:
    """The files of a folder, zip or tar; `scratch` needs room for all files of a tar.

    Raises NoData.
    """
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        is_zip = zipfile.is_zipfile(path)
        archive: _Zip | _Tar = _Zip(path) if is_zip else _Tar(path, scratch)
    except DAMAGE_ERRORS as error:
        raise NoData(
            f"{path} is damaged, or none of what can be read: a folder, a zip or a tar of class "
            f"folders, or an npz ({error})."
        ) from error
    try:
        yield archive
    finally:
        archive.close()


class _Folder:
    """Follows links to files, not to folders, which could form a circle."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.names = {
            name: None
            for folder, _, files in os.walk(path)
            for file in files
            if not _is_litter(name := (Path(folder) / file).relative_to(path).as_posix())
        }

    def read(self, name: str) -> bytes:
        path = self._path / name
        try:
            _refuse_huge(path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise UndecodableImage(f"cannot be read: {error.strerror or error}") from error


class _Zip:
    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        self.names = {
            each.filename: each
            for each in self._zip.infolist()
            if not each.is_dir() and not _is_litter(each.filename)
        }

    def read(self, name: str) -> bytes:
        member = self.names[name]
        _refuse_huge(member.file_size)
        try:
            return self._zip.read(member)
        except DAMAGE_ERRORS as error:
            raise UndecodableImage(f"damaged in the archive: {error}") from error

    def close(self) -> None:
        self._zip.close()


class _Tar:
    """Copies all files at once: a compressed tar can only be read from its beginning."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self.names: dict[str, tuple[int, int]] = {}  # where in the copy, and how many bytes
        self._copy: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - see close()
        try:
            # Not as a stream, "r|*", which does not notice that a compressed tar is truncated.
            with tarfile.open(path, "r:*") as tar:
                for member in tar:
                    self._keep(tar, member)
        except BaseException:
            self._copy.close()
            raise

    def _keep(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if not member.isreg() or member.size > MAX_FILE_BYTES or _is_litter(member.name):
            return
        content = tar.extractfile(member)
        assert content is not None  # noqa: S101 - it is a regular file
        begin = self._copy.tell()
        self._copy.write(content.read())
        self.names[member.name.removeprefix("./")] = (begin, self._copy.tell() - begin)

    def read(self, name: str) -> bytes:
        begin, size = self.names[name]
        self._copy.seek(begin)
        return self._copy.read(size)

    def close(self) -> None:
        self._copy.close()


def _is_litter(name: str) -> bool:
    """Whether a file is hidden, or was left by macOS or a file manager."""
    parts = [part for part in name.split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _refuse_huge(size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise UndecodableImage(f"{size:,} bytes are too many for a picture")
