"""Query plans of the labeling path and of the workers: pinned to the indexes that they are for.

On pools of some ten thousand rows; nothing of them may be walked but S.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from al_engine.pools import sql
from al_engine.pools.sql import statement

from .conftest import OpenConnection, Pools, Run, empty_at_once, new_pools
from .large import fill
from .plans import DESK, ENGINE, generic, parameters_of

BIG = {"pools_image", "pools_query", "pools_turn", "pools_label", "pools_consensus"}


@pytest.fixture(scope="module", autouse=True)
def transactional_db(watched: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """One database for all of this file: nothing here changes it."""
    with django_db_blocker.unblock():
        yield
        empty_at_once()


@pytest.fixture(scope="module")
def pools(transactional_db: None) -> Pools:
    """A campaign in its midst."""
    made = new_pools(0, people=40)
    fill(made.id, made.people, made.choices)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    return made


@pytest.fixture(scope="module")
def parameters(pools: Pools) -> dict[str, Any]:
    """Something for every parameter there is."""
    return parameters_of(pools)


def check(plan: dict[str, Any], wanted: dict[str, str]) -> None:
    """The plan walks none of the big tables, and finds what it should by the index for it."""
    nodes = list(walk(plan))
    assert [node for node in nodes if "Seq Scan" in node["Node Type"] and is_big(node)] == []
    for alias, index in wanted.items():
        used = {
            node["Index Name"]
            for node in [*nodes, *(below for node in nodes for below in bitmaps(node))]
            # The second of a name in a statement is called a_1, the third a_2.
            if re.fullmatch(rf"{alias}(_\d+)?", node.get("Alias", "")) and "Index Name" in node
        }
        assert any(name.startswith(index) for name in used), f"{alias} is found by {used}"


def walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A node and all below it."""
    yield node
    for below in node.get("Plans", []):
        yield from walk(below)


def bitmaps(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The indexes of a bitmap scan, under its table's alias."""
    if node["Node Type"] != "Bitmap Heap Scan":
        return []
    return [{**below, "Alias": node["Alias"]} for below in walk(node) if below is not node]


def is_big(node: dict[str, Any]) -> bool:
    """Whether a node reads a table that grows with the campaign."""
    return node.get("Relation Name") in BIG


@pytest.mark.parametrize("plan", ["custom", "generic"])
@pytest.mark.parametrize("name", DESK)
def test_the_labeling_path_finds_everything_by_its_index(
    parameters: dict[str, Any],
    open_connection: OpenConnection,
    run: Run,
    name: str,
    plan: str,
) -> None:
    conn = open_connection()
    if plan == "custom":
        cursor = run(conn.execute(f"EXPLAIN (FORMAT JSON) {statement(name)}", parameters))
    else:
        cursor = run(conn.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {generic(name)}".encode()))
    ((found,),) = run(cursor.fetchall())
    check(found[0]["Plan"], DESK[name])


@pytest.mark.parametrize("name", ENGINE)
def test_servers_and_workers_find_everything_by_its_index(
    parameters: dict[str, Any], name: str
) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if name == "supply":
            # A fifth of all turns are open here, of which an index finds none sooner; of a
            # campaign's in earnest it is one of thousands.
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement(name)}", parameters)
        (found,) = cursor.fetchone()
    plan = json.loads(found) if isinstance(found, str) else found
    check(plan[0]["Plan"], ENGINE[name])


def test_every_statement_of_the_labeling_path_is_pinned_here() -> None:
    there = {path.stem for path in Path(sql.__file__).parent.glob("*.sql")}
    # `exchange` is made of the others; counters, processes and rankings are few rows a campaign.
    few = {"hold_cells", "rank", "progress", "shortage"}
    assert there == {*DESK, *ENGINE, *few, "exchange"}
