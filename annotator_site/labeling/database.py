"""The connections of the labeling path to PostgreSQL."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg_pool import AsyncConnectionPool
from psycopg_pool.base import AttemptWithBackoff

from al_engine.pools import signals
from al_engine.pools.query import Connection
from annotator_site.labeling.faults import spoils_connection

_CONNECTIONS: Final = 4
"""Enough, since batches need few transactions."""

OPTIONS: Final = (
    # Commits do not wait for the disk; acknowledgements do, in disk.py.
    "-c synchronous_commit=off -c statement_timeout=15s -c lock_timeout=5s"
    " -c idle_in_transaction_session_timeout=10s"
    # The statements of the labeling path touch a few rows by index, in nested loops. But a plan
    # is made once for all sizes, the tables of a young campaign have no statistics, and the
    # planner does not know how few rows a claim takes: it would hash the whole table, or
    # materialize the whole index and scan that once per row.
    " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    " -c enable_material=off -c enable_bitmapscan=off -c jit=off"
    " -c plan_cache_mode=force_generic_plan"
)


class Pool(AsyncConnectionPool[Connection]):
    """A fixed number of connections; call `open` before use.

    All are opened at once, so that none is young in quiet times: a connection that is younger than
    a transaction may lead to a server that lost that transaction in a crash (`Committed`).
    """

    def __init__(self) -> None:
        # By default the pool doubles its pause after each failure, without a bound: people would
        # wait long after the database is back.
        AttemptWithBackoff.INITIAL_DELAY, AttemptWithBackoff.DELAY_BACKOFF = 0.25, 1.0
        self._opened_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        super().__init__(
            kwargs={**signals.connection_info(OPTIONS), "autocommit": True},
            connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
            min_size=_CONNECTIONS,
            max_size=_CONNECTIONS,
            open=False,
            timeout=10,
            # Keep trying while the database is away for long.
            reconnect_timeout=24 * 3600,
            configure=self._note,
        )

    def opened_at(self, conn: Connection) -> float:
        """When `conn` was opened, at the latest, by time.monotonic()."""
        return self._opened_at[conn]

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as the pool has it
    ) -> AsyncIterator[Connection]:
        """A connection, given back at the end, or closed after an error that spoils it."""
        async with super().connection(timeout) as conn:
            try:
                yield conn
            except psycopg.Error as error:
                # The other connections of its age have the same fault: their server is gone, or
                # was read-only and may let new connections write.
                stale = conn.closed or isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
                if spoils_connection(error):
                    await conn.close()
                if stale:
                    await self.drain()
                raise

    async def _note(self, conn: Connection) -> None:
        self._opened_at[conn] = time.monotonic()
