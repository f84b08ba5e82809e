"""Makes PostgreSQL raise an error of any class at any step of the labeling path.

A function of the database, `injected(step)`, raises what a table says for that step: the errors are
PostgreSQL's own, not made up here. Steps are the named statements of `al_engine/pools/sql`; it is
called before each of them, also inside the usual transaction's function, before a commit (by a
deferred trigger) and before the flush.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from django.db import connection

from al_engine.pools import exchange, sql
from annotator_site.labeling import database, desks, disk

_INSTALL: Final = """
CREATE TABLE injection (step text, code text);
CREATE SEQUENCE injections;
CREATE FUNCTION injected(p_step text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_code text := (SELECT code FROM injection WHERE step = p_step);
BEGIN
    IF v_code IS NULL THEN
        RETURN true;
    END IF;
    -- No rollback takes this back.
    PERFORM nextval('injections');
    IF v_code = 'crash' THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
    ELSE
        RAISE EXCEPTION 'injected' USING ERRCODE = v_code;
    END IF;
    RETURN true;
END $$;
CREATE FUNCTION injected_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM injected('commit');
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER injected AFTER INSERT ON pools_label DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION injected_at_commit();
"""
_REMOVE: Final = """
DROP TRIGGER injected ON pools_label;
DROP FUNCTION injected_at_commit(), injected(text);
DROP SEQUENCE injections;
DROP TABLE injection;
"""
PATIENCE_S: Final = 15.0
_CALL: Final = "call"
"""The step before the usual transaction's function is called."""


def _steps() -> dict[str, str]:
    """Statements as they are sent, by their text: the name of the step."""
    names = [path.stem for path in Path(sql.__file__).parent.glob("*.sql")]
    return {sql.statement(name): name for name in names} | {exchange._CALL: _CALL}


class Injected(psycopg.AsyncConnection[Any]):
    """A connection that asks `injected` before each step."""

    steps: dict[str, str] = {}

    async def execute(self, statement: Any, *arguments: Any, **options: Any) -> Any:  # type: ignore[override]
        step = self.steps.get(statement) if isinstance(statement, str) else None
        if step is not None:
            await super().execute("SELECT injected(%s)", [step])
        return await super().execute(statement, *arguments, **options)


class InjectedPool(database.Pool):
    """The labeling path's connections, subject to the injector."""

    def __init__(self) -> None:
        super().__init__()
        self.connection_class = Injected


def _watched_exchange(name: str) -> str:
    """The usual transaction's function with a call of `injected` before each of its steps."""
    text = sql.statement(name)
    if name != "exchange":
        return text
    for step in ("lock", "answer", "settle", "claim", "progress"):
        line = re.search(rf"^( +).*\{{{step}\}}", text, re.MULTILINE)
        assert line is not None, step
        call = f"{line[1]}PERFORM injected('{step}');\n"
        text = text[: line.start()] + call + text[line.start() :]
    return text


class Injector:
    """Says what fails; counts how often it did."""

    @contextmanager
    def failing(self, step: str, code: str) -> Iterator[None]:
        """This step fails: with this SQLSTATE, or by a `crash` of its connection."""
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO injection VALUES (%s, %s)", [step, code])
            try:
                yield
            finally:
                cursor.execute("DELETE FROM injection")

    def change(self, code: str) -> None:
        """What fails does so with another error now."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE injection SET code = %s", [code])

    def await_failures(self, more: int) -> None:
        """Return once something has failed so many times more."""
        wanted = self.count + more
        deadline = time.monotonic() + PATIENCE_S
        while self.count < wanted:
            assert time.monotonic() < deadline, "nothing fails"
            time.sleep(0.002)

    @property
    def count(self) -> int:
        """How often something failed, since ever."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM injections")
            return int(cursor.fetchone()[0])


@contextmanager
def injecting(patch: pytest.MonkeyPatch) -> Iterator[Injector]:
    """An injector; labeling paths that are opened meanwhile are subject to it."""
    with connection.cursor() as cursor:
        cursor.execute(_INSTALL)
    Injected.steps = _steps()
    patch.setattr(exchange, "statement", _watched_exchange)
    exchange._definition.cache_clear()
    patch.setattr(desks, "Pool", InjectedPool)
    patch.setattr(disk, "FLUSH", disk.FLUSH.replace("SELECT", "SELECT injected('flush'),"))
    try:
        yield Injector()
    finally:
        exchange._definition.cache_clear()
        with connection.cursor() as cursor:
            cursor.execute(_REMOVE)
