"""The statements of the hot path, one named file each; parameters are psycopg's %(name)s.

As in psql, a line `\\i other.sql` stands for the text of that file.
"""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from uuid import UUID


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
