"""Reading text files that people provide."""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO


def encoding_of(beginning: bytes) -> str:
    """The encoding of a text by its first bytes: UTF-16 with a byte order mark, else UTF-8."""
    utf16 = beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if utf16 else "utf-8-sig"


@contextmanager
def open_text(path: Path, *, newline: str | None = None) -> Iterator[TextIO]:
    """Open a text for reading; `newline` as in `open`. Raises OSError; reads raise UnicodeError."""
    with path.open("rb") as file:
        yield TextIOWrapper(file, encoding_of(file.peek(2)), newline=newline)
