"""What may be in the quickest tier of the tests."""

import asyncio
from collections.abc import Callable

import psycopg
import pytest
import tiers
from django.db import connection

NOWHERE = "host=127.0.0.1 port=1 connect_timeout=1"


@pytest.mark.parametrize(
    "connect",
    [
        lambda: psycopg.connect(NOWHERE),
        lambda: asyncio.run(psycopg.AsyncConnection.connect(NOWHERE)),
    ],
    ids=["in a thread", "in a loop"],
)
def test_a_connection_to_a_database_fails_a_unit_test(connect: Callable[[], object]) -> None:
    with pytest.raises(Exception, match="a database: move it out of tests/unit"):
        connect()


def test_djangos_own_connection_fails_a_unit_test() -> None:
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        connection.ensure_connection()


def uses_rows(db: None) -> None: ...
def uses_commits(transactional_db: None) -> None: ...
def uses_a_site(live_site: str) -> None: ...
def uses_a_browser(browser: object) -> None: ...
def uses_a_folder(tmp_path: object) -> None: ...


def begin(request: pytest.FixtureRequest, test: Callable[..., None], *marks: str) -> None:
    """Begin a test as if it stood in this file."""
    item = pytest.Function.from_parent(request.node.parent, name=test.__name__, callobj=test)
    for mark in marks:
        item.add_marker(mark)
    tiers.require_little(item)


@pytest.mark.parametrize(
    ("test", "marks", "what"),
    [
        (uses_rows, [], "a database"),
        (uses_commits, [], "a database"),
        (uses_a_site, [], "a database"),
        (uses_a_folder, ["django_db"], "a database"),
        (uses_a_browser, [], "a browser"),
    ],
)
def test_what_starts_a_database_or_a_browser_fails_a_unit_test(
    request: pytest.FixtureRequest, test: Callable[..., None], marks: list[str], what: str
) -> None:
    with pytest.raises(tiers.OutsideOfUnit, match=f"{what}: move it out of tests/unit"):
        begin(request, test, *marks)


def test_anything_else_does_not(request: pytest.FixtureRequest) -> None:
    begin(request, uses_a_folder)


@pytest.mark.parametrize("file", tiers.SLOW)
def test_what_is_left_to_the_whole_run_is_there(file: str) -> None:
    (path,) = tiers.UNIT.rglob(file)
    for name in tiers.SLOW[file]:
        assert f"def {name}(" in path.read_text(encoding="utf-8")
