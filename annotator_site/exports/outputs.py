"""The outputs that exports are written to, and how values look in text."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

from annotator_site.exports.rows import Value

Row = Sequence[Value]
PlainValue = str | int | float | None


class Out(Protocol):
    """An output of an export, written one whole line at a time."""

    def write(self, line: str, /) -> object:
        """Write a line, which ends with its line break."""


class Utf8:
    """A binary file to which text is written in UTF-8, whatever the locale."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def write(self, line: str, /) -> None:
        """Write a line, which ends with its line break."""
        self.file.write(line.encode())


def plain(value: Value) -> PlainValue:
    """A value as text formats have it: times as ISO 8601 in UTC with microseconds."""
    if isinstance(value, datetime):
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value
