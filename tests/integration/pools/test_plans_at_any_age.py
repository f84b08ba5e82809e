"""What statements read does not depend on what PostgreSQL knows of its tables.

It takes statistics once a minute at most. A campaign's first minutes go by without any, then with
those of an almost empty pool; a plan that goes through S once for each cell takes seconds then, and
everybody waits.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from al_engine.pools.sql import BY_INDEX, statement
from annotator_site.environment import SERVER_SETTINGS
from annotator_site.labeling.database import OPTIONS as DESK_OPTIONS

from .conftest import OpenConnection, Run, empty_at_once, new_pools
from .large import fill
from .plans import DESK, ENGINE, generic, names_of, parameters_of

ENGINE_OPTIONS = " ".join(f"-c {name}={value}" for name, value in SERVER_SETTINGS.items())
ROWS_FOR_EACH = 12
"""Rows that a statement may read for each that it is about, with all that belongs to it."""
ONCE_THROUGH_S = 6_500
"""S is small beside D and L: going through it once costs little, once for each cell seconds."""
ABOUT = {"supply": 3_000, "open_queries": 300, "fills": 500, "mine": 10_000}
"""Rows that a statement is about; 64 where none are named."""
FEW_ROWS = {"put", "withdraw", "confirm", "open_queries"}
"""What workers do with them in transactions that are told so."""


@pytest.fixture(scope="module", autouse=True, params=["none", "old", "dry", "known"])
def transactional_db(
    watched: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[dict[str, Any]]:
    """Large pools, of which PostgreSQL knows nothing, what was once, or all; and parameters.

    What was once: a few queries, open or all held by somebody.
    """
    with django_db_blocker.unblock():
        empty_at_once()
        made = new_pools(40, people=40, asked=20)
        with connection.cursor() as cursor:
            if request.param == "dry":
                cursor.execute(
                    """UPDATE pools_assignment SET state = 'leased', annotator_id = %s,
                       session = gen_random_uuid(), lease_expires = now()""",
                    [made.people[0]],
                )
            if request.param in {"old", "dry"}:
                cursor.execute("ANALYZE")
            fill(made.id, made.people, made.choices)
            if request.param == "known":
                cursor.execute("VACUUM (ANALYZE)")
        yield parameters_of(made)
        empty_at_once()


def rows_read(node: dict[str, Any]) -> int:
    """How many rows a plan that was run took from tables, all repetitions together."""
    own = 0
    if "Relation Name" in node:
        dropped = node.get("Rows Removed by Filter", 0)
        dropped += node.get("Rows Removed by Index Recheck", 0)
        own = round((node["Actual Rows"] + dropped) * node["Actual Loops"])
    return own + sum(rows_read(below) for below in node.get("Plans", []))


@pytest.mark.parametrize("name", [*DESK, *ENGINE])
def test_no_statement_reads_more_than_it_is_about(
    transactional_db: dict[str, Any], open_connection: OpenConnection, run: Run, name: str
) -> None:
    given = transactional_db
    conn = open_connection(DESK_OPTIONS if name in DESK else ENGINE_OPTIONS)
    explain = "EXPLAIN (ANALYZE, FORMAT JSON)"
    run(conn.execute("BEGIN"))
    if name in DESK:
        # As the desk has it: planned once, for whatever comes.
        run(conn.execute(f"PREPARE desk AS {generic(name)}".encode()))
        values = [psycopg.sql.Literal(given[each]).as_string() for each in names_of(name)]
        cursor = run(conn.execute(f"{explain} EXECUTE desk ({', '.join(values)})".encode()))
    else:
        if name in FEW_ROWS:
            run(conn.execute(BY_INDEX))
        cursor = run(conn.execute(f"{explain} {statement(name)}", given))
    ((found,),) = run(cursor.fetchall())
    run(conn.execute("ROLLBACK"))
    most = ROWS_FOR_EACH * ABOUT.get(name, 64) + ONCE_THROUGH_S
    assert rows_read(found[0]["Plan"]) <= most
