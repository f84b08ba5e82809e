"""What PostgreSQL knows of the pools' tables at different times, written down and put back.

It takes statistics at moments of its own choice, of each table at another one. Taken amid a large
import, or after the deletion of a large campaign, they say of a table of many pages that it has
hardly a row.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

TABLES: Final = ("image", "query", "turn", "label", "consensus")
"""Those that grow with a campaign."""

_COLUMNS: Final = (
    *(("null_frac", "real"), ("avg_width", "integer"), ("n_distinct", "real")),
    *(("most_common_vals", "text"), ("most_common_freqs", "real[]")),
    *(("histogram_bounds", "text"), ("correlation", "real"), ("most_common_elems", "text")),
    *(("most_common_elem_freqs", "real[]"), ("elem_count_histogram", "real[]")),
)
"""What is known of a column, and the types in which it is put back."""

_RELATIONS: Final = """
    SELECT relname, relpages, reltuples FROM pg_class
    WHERE oid = %(table)s::regclass
       OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %(table)s::regclass)"""


@dataclass(frozen=True, slots=True)
class Known:
    """Statistics of one table: pages and rows of it and of its indexes, and of its columns."""

    relations: list[tuple[str, int, float]]
    columns: list[tuple[Any, ...]]


Age = Mapping[str, Known]
"""Statistics by table."""


def can_be_put_back() -> bool:
    """Whether this PostgreSQL can be told what it knows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::integer >= 180000")
        return bool(cursor.fetchone()[0])


def written_down() -> Age:
    """What PostgreSQL knows now."""
    told = ", ".join(f"{name}::text" for name, _ in _COLUMNS)
    known: dict[str, Known] = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(_RELATIONS, {"table": f"pools_{table}"})
            relations = cursor.fetchall()
            cursor.execute(
                f"SELECT attname, {told} FROM pg_stats WHERE tablename = %s", [f"pools_{table}"]
            )
            known[table] = Known(relations, cursor.fetchall())
    return known


def nothing(known: Age) -> Age:
    """As if no statistics had ever been taken."""
    return {
        table: Known(
            [(name, 0, -1 if name == f"pools_{table}" else 0) for name, *_ in age.relations], []
        )
        for table, age in known.items()
    }


def emptied(known: Age) -> Age:
    """As after a mass deletion: all of the pages, and not a row."""
    return {
        table: Known([(name, pages, 0) for name, pages, _ in age.relations], [])
        for table, age in known.items()
    }


def of_another_campaign(known: Age) -> Age:
    """As where a new campaign has grown beside a large one: of its rows there seem to be none."""
    vals = 1 + [name for name, _ in _COLUMNS].index("most_common_vals")
    return {
        table: Known(
            age.relations,
            [
                (*row[:vals], "{999999999}", *row[vals + 1 :])
                if row[0] == "campaign_id" and row[vals]
                else row
                for row in age.columns
            ],
        )
        for table, age in known.items()
    }


def put_back(age: Age) -> None:
    """Make PostgreSQL know this and no more."""
    names = ", ".join(f"'{name}', %s::{of}" for name, of in _COLUMNS)
    with connection.cursor() as cursor:
        for table, known in age.items():
            name = f"pools_{table}"
            cursor.executemany(
                """SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', %s::text,
                       'relpages', %s::integer, 'reltuples', %s::real, 'relallvisible', 0)""",
                known.relations,
            )
            cursor.execute(
                """SELECT pg_clear_attribute_stats('public', tablename, attname, false)
                   FROM pg_stats WHERE tablename = %s""",
                [name],
            )
            cursor.executemany(
                f"""SELECT pg_restore_attribute_stats('schemaname', 'public',
                        'relname', '{name}', 'inherited', false, 'attname', %s::text, {names})""",
                known.columns,
            )


@contextmanager
def nobody_else_looks() -> Iterator[None]:
    """PostgreSQL takes no statistics of the large tables by itself meanwhile."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE pools_{table} SET (autovacuum_enabled = false)")
    yield
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE pools_{table} RESET (autovacuum_enabled)")
