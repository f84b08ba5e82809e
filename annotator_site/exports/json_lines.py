"""JSON Lines: one object a line."""

import json
import math
from collections.abc import Iterable, Sequence

from annotator_site.exports.outputs import Out, Row
from annotator_site.exports.rows import Value


def write_jsonl(out: Out, columns: Sequence[str], rows: Iterable[Row]) -> int:
    """Write one JSON object a line; a missing value is null. Returns the number of rows."""
    count = 0
    for row in rows:
        values = dict(zip(columns, (_in_json(value) for value in row), strict=True))
        out.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")
        count += 1
    return count


def _in_json(value: Value) -> Value:
    # JSON has neither infinities nor NaN.
    return None if isinstance(value, float) and not math.isfinite(value) else value
