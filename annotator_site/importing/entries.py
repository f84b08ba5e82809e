"""The interface of what images are read from: its files, one after another, as values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from annotator_site.importing.file_names import NameDecoder

MAX_ENTRIES: Final = 5_000_000


class SourceError(ValueError):
    """A source that cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a source: its bytes, or why there are none (`problem`), or `ignored` as litter."""

    name: str
    data: bytes = b""
    problem: str = ""
    ignored: bool = False


class Found(NamedTuple):
    """A file of a source, not read yet; its name is "" where it cannot be used.

    `is_image` reads the file's first bytes; call it before you go on to the next file.
    """

    name: str
    is_image: Callable[[], bool]


class Source(Protocol):
    """Something that images can be read from."""

    @property
    def decoder(self) -> NameDecoder:
        """The decoder of the source's file names."""

    @property
    def as_stored(self) -> bool:
        """Whether `entries` come in the order in which the source has them, rather than mixed."""

    def files(self) -> Iterator[Found]:
        """All files as the source has them, without reading them. Raises SourceError."""

    def entries(self) -> Iterator[Entry]:
        """All files, read, in the same order each time. Raises SourceError."""
