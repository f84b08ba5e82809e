"""Where images come from: a folder, a zip or a tar, read one file after another.

No archive is unpacked: files are read straight from it, their names are never used as paths,
and neither memory nor disk grows with the archive.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from annotator_site.campaigns.image_files import BrokenImageError, is_image, read_image
from annotator_site.campaigns.names import (
    NameDecoder,
    UnknownEncodingError,
    display_name,
    is_litter,
)

MAX_ENTRIES: Final = 5_000_000


class SourceError(ValueError):
    """A source that cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a source: its bytes, or why there are none (`problem`), or that it is litter."""

    name: str
    data: bytes = b""
    problem: str = ""
    ignored: bool = False


class Found(NamedTuple):
    """A file of a source that was not read; its name is "" where it cannot be used.

    `is_image` reads its first bytes; call it before the next file is asked for.
    """

    name: str
    is_image: Callable[[], bool]


class Source(Protocol):
    """Something that images can be read from."""

    @property
    def decoder(self) -> NameDecoder:
        """What reads its names."""

    def files(self) -> Iterator[Found]:
        """All files, without reading them. Raises SourceError."""

    def entries(self) -> Iterator[Entry]:
        """All files in the same order, read. Raises SourceError."""


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files below a folder, in order of their names. Links are not followed."""

    root: Path
    decoder: NameDecoder = field(default_factory=NameDecoder)

    def files(self) -> Iterator[Found]:
        """All files, with names relative to the folder."""
        for name, problem in self._walk():
            yield Found(self._shown(name), partial(self._is_image, name, problem))

    def entries(self) -> Iterator[Entry]:
        """All files, read."""
        for name, problem in self._walk():
            shown = self._shown(name)
            if is_litter(shown):
                yield Entry(shown, ignored=True)
            elif problem:
                yield Entry(shown, problem=problem)
            else:
                yield self._read(name, shown)

    def _walk(self) -> Iterator[tuple[str, str]]:
        """Name and problem ("" for a file) of everything below that is not a folder."""
        waiting = [self._listed("")]
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                continue
            try:
                mode = (self.root / name).lstat().st_mode
                if stat.S_ISDIR(mode):
                    waiting.append(self._listed(name))
                    continue
                problem = "" if stat.S_ISREG(mode) else _not_a_file(stat.S_ISLNK(mode))
            except OSError as error:
                problem = f"cannot be read ({error.strerror})"
            yield name, problem

    def _listed(self, folder: str) -> Iterator[str]:
        names = sorted(os.listdir(self.root / folder))  # noqa: PTH208 - names alone: less memory
        return (f"{folder}/{name}" if folder else name for name in names)

    def _shown(self, name: str) -> str:
        # The system's own encoding of names may be another than that of those who made them.
        return display_name(self.decoder.decode(os.fsencode(name)))

    def _read(self, name: str, shown: str) -> Entry:
        try:
            with os.fdopen(self._opened(name), "rb") as file:
                return Entry(shown, data=read_image(file.read))
        except BrokenImageError as error:
            return Entry(shown, problem=str(error))
        except OSError as error:
            return Entry(shown, problem=f"cannot be read ({error.strerror})")

    def _is_image(self, name: str, problem: str) -> bool:
        if problem:
            return False
        try:
            with os.fdopen(self._opened(name), "rb") as file:
                return is_image(file.read)
        except OSError:
            return False

    def _opened(self, name: str) -> int:
        return os.open(self.root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def open_source(path: Path, *, name_encoding: str | None = None) -> Source:
    """The folder or archive at `path`, told by its content. Raises SourceError.

    `name_encoding`: that of names which do not say it themselves.
    """
    # Here, because archives builds on this module.
    from annotator_site.campaigns.archives import TarSource, ZipSource

    try:
        decoder = NameDecoder(name_encoding)
        if path.is_dir():
            os.listdir(path)  # noqa: PTH208 - only to see whether it may be read
            return FolderSource(path, decoder)
        with path.open("rb") as file:
            head = file.read(512)
    except UnknownEncodingError as error:
        raise SourceError(str(error)) from error
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}).") from error
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZipSource(path, decoder)
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")) or head[257:262] == b"ustar":
        return TarSource(path, decoder)
    if head.startswith(b"PAR1") or path.suffix.lower() in {".csv", ".jsonl", ".parquet"}:
        raise SourceError(
            f"{path} is a list of images, and lists (CSV, JSONL, Parquet) are not supported yet: "
            "give the folder, zip or tar with the images, and a CSV of path,label by "
            "--known-labels."
        )
    raise SourceError(f"{path} is not a folder, a zip or a tar (also .tar.gz, .tar.xz, .tar.bz2).")


def _not_a_file(is_link: bool) -> str:
    return "a symbolic link: not followed" if is_link else "not an ordinary file"
