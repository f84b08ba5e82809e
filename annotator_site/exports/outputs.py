"""The outputs that exports are written to, one line at a time."""

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from annotator_site.exports.rows import Value

Row = Sequence[Value]


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
