"""Where images come from: a folder, a zip or a tar, read one file after another.

No archive is unpacked: files are read straight from it, their names are never used as paths,
and neither memory nor disk grows with the archive.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from annotator_site.campaigns.image_files import BrokenImageError, read_image

MAX_ENTRIES: Final = 5_000_000
_LITTER: Final = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
# What a terminal would obey, a database refuses or a reader be deceived by: control characters,
# bytes that are no text, and marks that turn the direction of writing.
_NOT_SHOWN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


class SourceError(ValueError):
    """A source that cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a source: its bytes, or why there are none (`problem`), or that it is litter."""

    name: str
    data: bytes = b""
    problem: str = ""
    ignored: bool = False


class Source(Protocol):
    """Something that images can be read from."""

    def names(self) -> Iterator[str]:
        """The names of all files, without reading them. Raises SourceError."""

    def entries(self) -> Iterator[Entry]:
        """All files in the same order, read. Raises SourceError."""


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files below a folder, in order of their names. Links are not followed."""

    root: Path

    def names(self) -> Iterator[str]:
        """The names of all files, relative to the folder."""
        return (display_name(name) for name, _ in self._walk())

    def entries(self) -> Iterator[Entry]:
        """All files, read."""
        for name, problem in self._walk():
            if is_litter(name):
                yield Entry(display_name(name), ignored=True)
            elif problem:
                yield Entry(display_name(name), problem=problem)
            else:
                yield self._read(name)

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

    def _read(self, name: str) -> Entry:
        shown = display_name(name)
        try:
            descriptor = os.open(self.root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                return Entry(shown, data=read_image(file.read))
        except BrokenImageError as error:
            return Entry(shown, problem=str(error))
        except OSError as error:
            return Entry(shown, problem=f"cannot be read ({error.strerror})")


def open_source(path: Path) -> Source:
    """The folder or archive at `path`, told by its content. Raises SourceError."""
    # Here, because archives builds on this module.
    from annotator_site.campaigns.archives import TarSource, ZipSource

    try:
        if path.is_dir():
            os.listdir(path)  # noqa: PTH208 - only to see whether it may be read
            return FolderSource(path)
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError as error:
        raise SourceError(f"{path} does not exist.") from error
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}).") from error
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return ZipSource(path)
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")) or head[257:262] == b"ustar":
        return TarSource(path)
    if head.startswith(b"PAR1") or path.suffix.lower() in {".csv", ".jsonl", ".parquet"}:
        raise SourceError(
            f"{path} is a list of images, and lists (CSV, JSONL, Parquet) are not supported yet: "
            "give the folder, zip or tar with the images, and a CSV of path,label by "
            "--known-labels."
        )
    raise SourceError(f"{path} is not a folder, a zip or a tar (also .tar.gz, .tar.xz, .tar.bz2).")


def clean_name(raw: str) -> str:
    """The name of an archive's entry as a plain relative path.

    Raises BrokenImageError for one that would lead out of the archive's own folder. (Nothing is
    ever written under such a name; an archive that tries deserves no trust.)
    """
    name = display_name(raw).replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise BrokenImageError("an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BrokenImageError("a path that leads out of the archive")
    return "/".join(parts)


def display_name(raw: str) -> str:
    """A file's name as it is stored and shown."""
    return _NOT_SHOWN.sub("\ufffd", raw)


def is_litter(name: str) -> bool:
    """Hidden files and what file managers leave behind."""
    return any(part.startswith(".") or part in _LITTER for part in name.split("/"))


def _not_a_file(is_link: bool) -> str:
    return "a symbolic link: not followed" if is_link else "not an ordinary file"
