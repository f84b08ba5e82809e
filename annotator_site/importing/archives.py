"""Images in tar archives, compressed or not, and in zip archives."""

import bz2
import gzip
import lzma
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

from annotator_site.importing import zip_members
from annotator_site.importing.entries import Entry, Found, SourceError
from annotator_site.importing.file_names import NameDecoder, clean_name, display_name, is_litter
from annotator_site.importing.image_files import BrokenImageError, is_image, read_image

# Limit for the headers of one tar entry; a name of 4 KiB with extended headers needs far less.
_MAX_HEADER_BYTES: Final = 1024 * 1024
# Images hardly shrink when compressed: an archive with a higher ratio is a decompression bomb.
_MAX_RATIO: Final = 200
_RATIO_FROM_BYTES: Final = 256 * 1024 * 1024
_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class ZipSource:
    """The files of a zip."""

    path: Path
    decoder: NameDecoder = field(default_factory=NameDecoder)
    as_stored: bool = False
    """Whether `entries` come in the order of the archive, rather than mixed."""

    def files(self) -> Iterator[Found]:
        """All files, as stored; the name is "" where it cannot be used."""
        with self.path.open("rb") as file:
            for member in self._members(zip_members.members):
                yield Found(_usable(member.name), partial(_is_image, file, member))

    def entries(self) -> Iterator[Entry]:
        """All files, read."""
        ordered = zip_members.members if self.as_stored else zip_members.mixed_members
        with self.path.open("rb") as file:
            for member in self._members(ordered):
                try:
                    name = clean_name(member.name)
                    if is_litter(name):
                        yield Entry(name, ignored=True)
                        continue
                    _refuse_special(stat.S_IFMT(member.mode))
                    yield Entry(name, data=read_image(zip_members.reader(file, member)))
                except BrokenImageError as error:
                    yield Entry(display_name(member.name), problem=str(error))

    def _members(
        self, ordered: Callable[[Path, NameDecoder], Iterator[zip_members.Member]]
    ) -> Iterator[zip_members.Member]:
        try:
            yield from ordered(self.path, self.decoder)
        except zip_members.DamagedZipError as error:
            raise SourceError(f"{self.path} is damaged: {error}. Get a whole copy.") from error


@dataclass(frozen=True, slots=True)
class TarSource:
    """The files of a tar, read from beginning to end: it has no directory to find them by."""

    path: Path
    decoder: NameDecoder = field(default_factory=NameDecoder)
    as_stored: bool = field(default=True, init=False)

    def files(self) -> Iterator[Found]:
        """All files; the name is "" where it cannot be used."""
        with _reported(self.path):
            for tar, member in self._members():
                yield Found(_usable(member.name), partial(self._is_image, tar, member))

    def entries(self) -> Iterator[Entry]:
        """All files, read."""
        with _reported(self.path):
            for tar, member in self._members():
                try:
                    name = clean_name(member.name)
                    if is_litter(name):
                        yield Entry(name, ignored=True)
                        continue
                    if member.issym() or member.islnk():
                        raise BrokenImageError("a link: not followed")
                    content = tar.extractfile(member) if member.isfile() else None
                    if content is None or member.issparse():
                        raise BrokenImageError("not an ordinary file")
                    yield Entry(name, data=read_image(content.read))
                except BrokenImageError as error:
                    yield Entry(display_name(member.name), problem=str(error))

    def _decoded(self, member: tarfile.TarInfo) -> str:
        headers = member.pax_headers
        if "path" in headers and "hdrcharset" not in headers:
            return member.name  # pax headers are UTF-8 by definition
        return self.decoder.decode(member.name.encode("utf-8", "surrogateescape"))

    def _is_image(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> bool:
        if not member.isfile() or member.issparse():
            return False
        with _reported(self.path):
            content = tar.extractfile(member)
            return content is not None and is_image(content.read)

    def _members(self) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
        """Every entry except folders."""
        with self.path.open("rb") as raw, _decompressed(raw) as plain:
            guarded = _GuardedStream(plain, raw)
            stream = cast(IO[bytes], guarded)
            # Bytes that are not UTF-8 become surrogates, whatever the locale of this process.
            with tarfile.open(
                fileobj=stream,
                mode="r|",
                bufsize=_GuardedStream.SIZE,
                encoding="utf-8",
                errors="surrogateescape",
            ) as tar:
                while (member := _next(tar, guarded)) is not None:
                    member.name = self._decoded(member)
                    # Windows programs mark folders with a trailing backslash.
                    is_folder = member.size == 0 and member.name.endswith("\\")
                    if not (member.isdir() or is_folder):
                        yield tar, member


def _usable(name: str) -> str:
    try:
        return clean_name(name)
    except BrokenImageError:
        return ""


def _is_image(file: BinaryIO, member: zip_members.Member) -> bool:
    try:
        _refuse_special(stat.S_IFMT(member.mode))
        return is_image(zip_members.reader(file, member))
    except BrokenImageError:
        return False


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise SourceError(
            f"{path} is not a tar, or is damaged ({error}). Get a whole copy."
        ) from error


class _GuardedStream:
    """The decompressed bytes of a tar, up to a limit that `_next` moves from entry to entry."""

    SIZE: Final = 20 * _BLOCK

    def __init__(self, plain: BinaryIO, raw: BinaryIO) -> None:
        self.plain = plain
        self.raw = raw
        self.delivered = 0
        self.limit = _MAX_HEADER_BYTES
        self.last = b""

    def read(self, size: int) -> bytes:
        piece = self.plain.read(size)
        self.delivered += len(piece)
        self.last = piece or self.last
        if self.delivered > self.limit:
            raise tarfile.ReadError("an entry's header is larger than any honest one")
        if self.delivered > max(_RATIO_FROM_BYTES, _MAX_RATIO * self.raw.tell()):
            raise tarfile.ReadError("it unpacks to far more than images would")
        return piece

    def block_at(self, offset: int) -> bytes:
        """The block at `offset`, or b"" if the latest piece read does not hold it."""
        begin = offset - (self.delivered - len(self.last))
        return self.last[begin : begin + _BLOCK] if begin >= 0 else b""


def _next(tar: tarfile.TarFile, guarded: _GuardedStream) -> tarfile.TarInfo | None:
    # tarfile reads a whole extended header, however long it claims to be. `tar.offset` is where
    # the next header begins, after the data of the previous entry.
    guarded.limit = tar.offset + _MAX_HEADER_BYTES
    member = tar.next()
    # tarfile keeps every entry that it has read; before Python 3.13 this cannot be turned off.
    vars(tar)["members"].clear()
    if member is None and guarded.block_at(tar.offset).strip(b"\0"):
        # tarfile takes a damaged header for the end of the archive.
        raise tarfile.ReadError("a header in it cannot be read")
    guarded.limit = tar.offset + _MAX_HEADER_BYTES
    return member


def _decompressed(raw: BinaryIO) -> BinaryIO:
    head = raw.read(6)
    raw.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.open(raw))
    if head.startswith(b"BZh"):
        return cast(BinaryIO, bz2.open(raw))
    if head.startswith(b"\xfd7zXZ\x00"):
        return cast(BinaryIO, lzma.open(raw))
    return raw


def _refuse_special(kind: int) -> None:
    """Raise BrokenImageError unless `kind` (file type bits of a mode; 0: unknown) is a file's."""
    if kind == stat.S_IFLNK:
        raise BrokenImageError("a link: not followed")
    if kind not in (0, stat.S_IFREG):
        raise BrokenImageError("not an ordinary file")
