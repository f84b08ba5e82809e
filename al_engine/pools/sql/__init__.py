"""The statements of the hot path, one named file each; parameters are psycopg's %(name)s.

As in psql, a line `\\i parts/NAME.sql` stands for the text of that file. What several statements
have in common is in `parts/`: no statement by itself, and never sent alone.

Statistics of a table may be old, or of a moment at which it had many pages and hardly a row: amid
an import, or after a campaign was deleted. Reading the whole of a table of one row costs as little
as looking that row up, so PostgreSQL may choose either. The statements leave it only the look-up:

- `JOIN LATERAL (SELECT … WHERE a.id = b.a_id OFFSET 0)` for what is only read. OFFSET 0 keeps the
  subquery apart, so that it is planned for one key; it does the same in EXISTS. Conditions by which
  another index might serve stand outside of it.
- `a.id = ANY (ARRAY[b.id])` for what is changed or locked, which cannot be such a subquery. Unlike
  `a.id = b.id` it never makes the whole of an index useful for its order.
- `LIKE 'open'`, `IS NOT DISTINCT FROM` and `num_nulls(…) = 1` stand for `=` and IS NULL where by
  these another index than the one that is meant would serve.
- Rows are locked in the order of what was given (`ORDER BY given.id`): by `a.id`, a whole index
  would be in order already.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final
from uuid import UUID

BY_INDEX: Final = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;"
    " SET LOCAL enable_mergejoin = off;"
)
"""For a transaction about a few rows of large tables. PostgreSQL counts its tables once a minute at
most: of a young campaign it does not know that they are large. What every statement of this folder
needs; the labeling path's connections have it from the start."""

_PART: Final = re.compile(r"^\\i (parts/\w+)\.sql$", re.MULTILINE)


@cache
def statement(name: str) -> str:
    """The text of `<name>.sql` in this folder, with the parts that it names."""
    text = (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
    return _PART.sub(lambda line: statement(line[1]), text)


def integers(values: Iterable[int | None]) -> str:
    """A PostgreSQL array of whole numbers; psycopg's general way takes ten times as long."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def uuids(values: Iterable[UUID]) -> str:
    """A PostgreSQL array of UUIDs."""
    return f"{{{','.join([value.hex for value in values])}}}"
