"""Writing exports, row after row, and never half a file."""

import csv
import json
import math
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol, TextIO

from annotator_site.research.rows import Value

_Row = Sequence[Value]


class Out(Protocol):
    """What an export is written to, one whole line at a time."""

    def write(self, line: str, /) -> object:
        """Take a line with its end."""


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


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A file that appears under its name once it is complete and on disk, or not at all."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _in_json(value: Value) -> Value:
    # JSON knows no infinities and no NaN.
    return None if isinstance(value, float) and not math.isfinite(value) else value
