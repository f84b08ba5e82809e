"""Writing exports, row after row."""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, Final, Protocol

from annotator_site.research.rows import Value

_Row = Sequence[Value]
# The full-width forms are formulas to spreadsheets in Japanese and Chinese.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


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


def write_csv(out: Out, columns: Sequence[str], rows: Iterable[_Row]) -> int:
    """Write CSV after RFC 4180 with a header; empty where there is no value. Returns the rows."""
    writer = csv.writer(out)
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def write_jsonl(out: Out, columns: Sequence[str], rows: Iterable[_Row]) -> int:
    """Write a JSON object a line; null where there is no value. Returns the number of rows."""
    count = 0
    for row in rows:
        values = dict(zip(columns, (_in_json(value) for value in row), strict=True))
        out.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


FORMATS: Final[dict[str, Callable[[Out, Sequence[str], Iterable[_Row]], int]]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
}


def for_spreadsheets(out: Out, rows: Iterable[_Row]) -> Iterator[_Row]:
    """Begin a CSV that spreadsheets read as UTF-8, and return rows of which they run no cell.

    Text that begins as a formula does gets an apostrophe in front; numbers stay numbers.
    """
    out.write("\ufeff")
    return (tuple(_harmless(value) for value in row) for row in rows)


def _harmless(value: Value) -> Value:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def _in_json(value: Value) -> Value:
    # JSON knows no infinities and no NaN.
    return None if isinstance(value, float) and not math.isfinite(value) else value
