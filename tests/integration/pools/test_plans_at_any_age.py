"""What statements read does not depend on what PostgreSQL knows of its tables.

It takes statistics once a minute at most. A campaign's first minutes go by without any, then with
those of an almost empty pool, or of a moment amid an import; a plan that goes through a large table
once for each row takes seconds then, and everybody waits.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from al_engine.pools import signals
from al_engine.pools.query import Connection
from al_engine.pools.sql import BY_INDEX, statement
from annotator_site.environment import SERVER_SETTINGS
from annotator_site.labeling.database import OPTIONS as DESK_OPTIONS

from . import ages
from .ages import TABLES, Age
from .conftest import OpenConnection, Run, empty_at_once, new_pools
from .large import fill
from .plans import DESK, ENGINE, generic, names_of, parameters_of

ENGINE_OPTIONS = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())
ROWS_FOR_EACH = 12
"""Rows that a statement may read for each that it is about, with all that belongs to it."""
ONCE_THROUGH_S = 6_500
"""S is small beside D and L: a worker that asks for its part may go through it, once."""
ABOUT = {"supply": 3_000, "open_queries": ONCE_THROUGH_S // ROWS_FOR_EACH + 300}
ABOUT |= {"expire": 2_000, "fills": 500, "mine": 10_000}
"""Rows that a statement is about; 64 where none are named."""
OF_S_ALONE = {"query_live_once", "query_open", "turn_open"}
"""Indexes that hold no more than what is open."""

UNIFORM = ("none", "old", "amid", "emptied", "known", "other")
AGES = [
    *((age,) * len(TABLES) for age in UNIFORM),
    # One table of another age than all others.
    *(
        tuple(odd if table == each else age for table in TABLES)
        for age, odd in (("known", "amid"), ("amid", "known"))
        for each in TABLES
    ),
]
"""Ages of the tables, in their order."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Large pools, what PostgreSQL knew of them at different times, and parameters."""

    ages: dict[str, Age]
    given: dict[str, Any]
    first_columns: dict[str, str]


@pytest.fixture(scope="module", autouse=True, params=["open", "held"])
def transactional_db(
    watched: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[Filled]:
    """Large pools that began as a few queries, open or all held by somebody."""
    with django_db_blocker.unblock():
        if not ages.can_be_put_back():
            pytest.skip("Statistics can be put back from PostgreSQL 18 on.")
        empty_at_once()
        with ages.nobody_else_looks():
            yield filled(all_held=request.param == "held")
            empty_at_once()


def filled(*, all_held: bool) -> Filled:
    """Fill the pools and look at them: before, amid and after."""
    made = new_pools(40, people=40, asked=20)
    with connection.cursor() as cursor:
        if all_held:
            cursor.execute(
                """UPDATE pools_turn SET state = 'leased', annotator_id = %s,
                       session = gen_random_uuid(), lease_expires = now()""",
                [made.people[0]],
            )
        cursor.execute("ANALYZE")
        known = {"old": ages.written_down()}
        with transaction.atomic():
            fill(made.id, made.people, made.choices)
            with psycopg.connect(**signals.connection_info(""), autocommit=True) as other:
                other.execute("ANALYZE")
                known["amid"] = ages.written_down()
        cursor.execute("VACUUM (ANALYZE)")
        known["known"] = ages.written_down()
        cursor.execute(
            """SELECT index.indexrelid::regclass::text, attname FROM pg_index index
               JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
               WHERE indrelid = ANY(%s::regclass[])""",
            [[f"pools_{table}" for table in TABLES]],
        )
        first_columns = dict(cursor.fetchall())
    known["none"] = ages.nothing(known["known"])
    known["emptied"] = ages.emptied(known["known"])
    known["other"] = ages.of_another_campaign(known["known"])
    return Filled(known, parameters_of(made), first_columns)


@pytest.mark.parametrize("of_tables", AGES, ids="-".join)
def test_no_statement_reads_more_than_it_is_about(
    transactional_db: Filled,
    open_connection: OpenConnection,
    run: Run,
    of_tables: tuple[str, ...],
) -> None:
    known = transactional_db.ages
    ages.put_back({table: known[age][table] for table, age in zip(TABLES, of_tables, strict=True)})
    desk, engine = open_connection(DESK_OPTIONS), open_connection(ENGINE_OPTIONS)
    too_much: dict[str, int | list[str]] = {}
    for name in (*DESK, *ENGINE):
        plan = run(explained(desk if name in DESK else engine, name, transactional_db.given))
        if (rows := rows_read(plan)) > ROWS_FOR_EACH * ABOUT.get(name, 64):
            too_much[name] = rows
        elif walked := list(indexes_walked(plan, transactional_db.first_columns)):
            too_much[name] = walked
    assert too_much == {}


async def explained(conn: Connection, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The plan of a statement that was run, and taken back."""
    explain = "EXPLAIN (ANALYZE, FORMAT JSON)"
    async with conn.transaction(force_rollback=True):
        if name in DESK:
            # As the desk has it: planned once, for whatever comes.
            await conn.execute(f"PREPARE desk_{name} AS {generic(name)}".encode())
            values = [psycopg.sql.Literal(given[each]).as_string() for each in names_of(name)]
            text = f"{explain} EXECUTE desk_{name} ({', '.join(values)})"
            cursor = await conn.execute(text.encode())
        else:
            await conn.execute(BY_INDEX)
            cursor = await conn.execute(f"{explain} {statement(name)}", given)
        ((found,),) = await cursor.fetchall()
    plan: dict[str, Any] = found[0]["Plan"]
    return plan


def rows_read(node: dict[str, Any]) -> int:
    """How many rows a plan that was run took from tables, all repetitions together."""
    own = 0
    if "Relation Name" in node:
        dropped = node.get("Rows Removed by Filter", 0)
        dropped += node.get("Rows Removed by Index Recheck", 0)
        own = round((node["Actual Rows"] + dropped) * node["Actual Loops"])
    return own + sum(rows_read(below) for below in node.get("Plans", []))


def indexes_walked(node: dict[str, Any], first_columns: dict[str, str]) -> Iterator[str]:
    """Indexes of large tables that a plan reads from end to end: not by their first column.

    Conditions on others are checked entry by entry, and these entries are nobody's rows.
    """
    index = node.get("Index Name", "")
    column = first_columns.get(index)
    if column and index not in OF_S_ALONE and column not in node.get("Index Cond", ""):
        yield index
    for below in node.get("Plans", []):
        yield from indexes_walked(below, first_columns)
