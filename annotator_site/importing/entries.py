"""What images can be read from, whatever it is: its files, one after the other, as values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from annotator_site.importing.file_names import NameDecoder

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
