"""What exports are written to, row after row."""

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from annotator_site.exports.rows import Value

Row = Sequence[Value]


class Out(Protocol):
    """What an export is written to, one whole line at a time."""

    def write(self, line: str, /) -> object:
        """Take a line with its end."""


class Utf8:
    """A binary file that text is written to in UTF-8, whatever the locale says."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def write(self, line: str, /) -> None:
        """Take a line with its end."""
        self.file.write(line.encode())
