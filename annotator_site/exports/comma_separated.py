"""CSV, for programs and for spreadsheets."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from annotator_site.exports.outputs import Out, Row, plain
from annotator_site.exports.rows import Value

# The full-width forms are formulas to spreadsheets in Japanese and Chinese.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def write_csv(out: Out, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Write CSV (RFC 4180) with a header; a missing value is empty. Returns the number of rows."""
    writer = csv.writer(out)
    writer.writerow(columns)
    count = 0
    for row in rows:
        writer.writerow([plain(value) for value in row])
        count += 1
    return count


def for_spreadsheets(out: Out, rows: Iterable[Row]) -> Iterator[Row]:
    """Write a UTF-8 byte order mark, and return rows that spreadsheets do not run as formulas.

    Text that begins like a formula gets an apostrophe in front; numbers stay numbers.
    """
    out.write("\ufeff")
    return (tuple(_harmless(value) for value in row) for row in rows)


def _harmless(value: Value) -> Value:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
