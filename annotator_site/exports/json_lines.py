"""JSON Lines: one object a line."""

import json
import math
from collections.abc import Iterable, Sequence

from annotator_site.exports.outputs import Out, PlainValue, Row, plain
from annotator_site.exports.rows import Value


def write_jsonl(out: Out, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Write one JSON object a line; a missing value is null. Returns the number of rows."""
    count = 0
    for row in rows:
        out.write(line_of(columns, row))
        count += 1
    return count


def line_of(columns: Sequence[str], row: Row) -> str:
    """A row as a JSON object in a line; values beyond the columns are left out."""
    values = {name: _in_json(value) for name, value in zip(columns, row, strict=False)}
    return json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n"


def _in_json(value: Value) -> PlainValue:
    # JSON has neither infinities nor NaN.
    return None if isinstance(value, float) and not math.isfinite(value) else plain(value)
