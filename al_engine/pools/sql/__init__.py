"""The statements of the hot path, one named file each; parameters are psycopg's %(name)s.

As in psql, a line `\\i other.sql` stands for the text of that file.
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
most: of a young campaign it does not know that they are large."""


@cache
def statement(name: str) -> str:
    """The text of `<name>.sql` in this folder."""
    text = (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
    return re.sub(r"^\\i (\w+)\.sql$", lambda line: statement(line[1]), text, flags=re.MULTILINE)


def integers(values: Iterable[int | None]) -> str:
    """A PostgreSQL array of whole numbers; psycopg's general way takes ten times as long."""
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def uuids(values: Iterable[UUID]) -> str:
    """A PostgreSQL array of UUIDs."""
    return f"{{{','.join([value.hex for value in values])}}}"
