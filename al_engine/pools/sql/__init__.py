"""The statements of the hot path, one named file each; parameters are psycopg's %(name)s.

As in psql, a line `\\i parts/NAME.sql` is replaced by the text of that file. `parts/` holds
fragments that several statements share; a fragment is never sent alone.

Table statistics may be stale, or taken when a table had many pages but hardly a row: during an
import, or after a campaign was deleted. Reading all of a table of one row costs as little as
looking that row up, so PostgreSQL may choose either. The statements leave it only the look-up:

- `JOIN LATERAL (SELECT … WHERE a.id = b.a_id OFFSET 0)` for rows that are only read. OFFSET 0 keeps
  PostgreSQL from flattening the subquery, so that it is planned for one key; the same holds in
  EXISTS. Conditions that would make another index usable stay outside the subquery.
- `a.id = ANY (ARRAY[b.id])` for rows that are changed or locked, which cannot be such a subquery.
  Unlike `a.id = b.id`, it never makes a scan of the whole index useful for its order.
- `LIKE 'open'`, `IS NOT DISTINCT FROM` and `num_nulls(…) = 1` replace `=` and IS NULL where these
  would make an unintended index usable.
- Rows are locked in the order of the input (`ORDER BY given.id`): a scan of the whole index would
  already be in the order of `a.id`.
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
"""Settings for a transaction that touches a few rows of large tables. PostgreSQL analyzes tables
once a minute at most, so it does not know that a new campaign's tables are large. Every statement
of this folder needs these settings; the labeling path's connections start with them."""

_PART: Final = re.compile(r"^\\i (parts/\w+)\.sql$", re.MULTILINE)


@cache
def statement(name: str) -> str:
    """The text of `<name>.sql` in this folder, with its parts inserted."""
    text = (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
    return _PART.sub(lambda line: statement(line[1]), text)


def integers(values: Iterable[int | None]) -> str:
    """Write integers as a PostgreSQL array; psycopg's own adapter takes ten times as long."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def uuids(values: Iterable[UUID]) -> str:
    """Write UUIDs as a PostgreSQL array."""
    return f"{{{','.join([value.hex for value in values])}}}"
