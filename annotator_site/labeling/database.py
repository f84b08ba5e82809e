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
"""Batches make few transactions enough."""

OPTIONS: Final = (
    # Who waits for the disk waits in disk.py.
    "-c synchronous_commit=off -c statement_timeout=15s -c lock_timeout=5s"
    " -c idle_in_transaction_session_timeout=10s"
    # The statements of the labeling path touch a few rows by index, each joined by a loop. But
    # a plan is made once for all sizes, the tables of a young campaign have no statistics, and
    # the planner, not knowing how few rows a claim takes, would hash the whole table for it, or
    # read the whole index into memory and go through that once a row.
    " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    " -c enable_material=off -c enable_bitmapscan=off -c jit=off"
    " -c plan_cache_mode=force_generic_plan"
)


class Pool(AsyncConnectionPool[Connection]):
    """A few connections that are always there; open it before use.

    All at once: a connection that is younger than a transaction may be one to a server that lost
    that transaction in a crash (`Desk`), and in quiet times there are none.
    """

    def __init__(self) -> None:
        # The pool would wait twice as long after each failure, without a bound: people would wait
        # for a database long after it is back.
        AttemptWithBackoff.INITIAL_DELAY, AttemptWithBackoff.DELAY_BACKOFF = 0.25, 1.0
        self._opened_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()
        super().__init__(
            kwargs={**signals.connection_info(OPTIONS), "autocommit": True},
            connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
            min_size=_CONNECTIONS,
            max_size=_CONNECTIONS,
            open=False,
            timeout=10,
            # A database that is away for long is waited for all the same.
            reconnect_timeout=24 * 3600,
            configure=self._note,
        )

    def opened_at(self, conn: Connection) -> float:
        """When it was opened, at the latest, by time.monotonic()."""
        return self._opened_at[conn]

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as the pool has it
    ) -> AsyncIterator[Connection]:
        """A connection, given back in the end, or closed after what spoils it."""
        async with super().connection(timeout) as conn:
            try:
                yield conn
            except psycopg.Error as error:
                # What was wrong with this one is so with all of its time: their server is gone, or
                # let them only read and may let new ones write.
                stale = conn.closed or isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
                if spoils_connection(error):
                    await conn.close()
                if stale:
                    await self.drain()
                raise

    async def _note(self, conn: Connection) -> None:
        self._opened_at[conn] = time.monotonic()
