"""A database that forgets: what was committed and not flushed is lost in a crash.

Behind the desk's connection all its transactions lie in one real transaction. A flush commits that
and begins another; a crash ends the connection, and takes with it what no flush came for, as a
killed server does with what its log had not on disk yet. Nothing is said about that to the desk
but what it hears from its connections.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import psycopg

from al_engine.pools import signals
from al_engine.pools.query import Connection
from annotator_site.labeling.database import OPTIONS, Pool
from annotator_site.labeling.disk import Disk

DOWN_SECONDS: Final = 0.01


class VolatilePool(Pool):
    """The labeling path's connections: a single one, in a transaction that a flush commits."""

    def __init__(self) -> None:
        super().__init__()
        # How often the server was started.
        self.life = 0
        self._up_at = 0.0
        self._one: Connection | None = None
        self._opened_one = 0.0
        self._free = asyncio.Lock()

    async def open(self, wait: bool = False, timeout: float = 30.0) -> None:  # noqa: ASYNC109
        """Nothing is there yet."""

    async def close(self, timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """End the connection; what was not flushed is lost."""
        if self._one is not None:
            await self._one.close()

    def opened_at(self, conn: Connection) -> float:
        return self._opened_one

    @asynccontextmanager
    async def connection(
        self,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> AsyncIterator[Connection]:
        async with self._free:
            conn = self._one
            if conn is None or conn.closed:
                conn = self._one = await self._connect_one()
            # Each of the desk's transactions is a part of it that can fail alone.
            await conn.execute("SAVEPOINT theirs")
            try:
                yield conn
            except psycopg.Error:
                if not conn.closed:
                    await conn.execute("ROLLBACK TO theirs")
                raise
            await conn.execute("RELEASE theirs")

    async def flush(self, life: int) -> None:
        """Bring all that is committed to the disk, of a server that has not died meanwhile."""
        async with self._free:
            if life != self.life:
                raise psycopg.OperationalError("server closed the connection unexpectedly")
            if self._one is not None and not self._one.closed:
                await self._one.execute("COMMIT; BEGIN")

    def crash(self) -> None:
        """The server dies, in the middle of whatever it does, and is there again in a moment."""
        self.life += 1
        self._up_at = time.monotonic() + DOWN_SECONDS
        if self._one is not None:
            self._one.pgconn.finish()

    async def _connect_one(self) -> Connection:
        if time.monotonic() < self._up_at:
            raise psycopg.OperationalError("the server is starting up")
        conn = await psycopg.AsyncConnection.connect(
            **signals.connection_info(OPTIONS), autocommit=True
        )
        self._opened_one = time.monotonic()
        await conn.execute("BEGIN")
        return conn


class _Flusher:
    """A connection that flushes, for as long as the server lives to which it was made."""

    def __init__(self, pool: VolatilePool) -> None:
        self._pool = pool
        self._life = pool.life

    closed = False

    async def execute(self, _statement: str) -> None:
        # A slow disk, or a network that notices nothing for a while.
        await asyncio.sleep(random.choice([0, 0, 0.005, 0.03]))
        await self._pool.flush(self._life)

    async def close(self) -> None:
        """It is gone."""


class VolatileDisk(Disk):
    """The disk under that database."""

    pool: VolatilePool | None = None

    async def _connect(self) -> Any:
        if self.pool is None:
            raise psycopg.OperationalError("there is no server yet")
        flusher: Any = _Flusher(self.pool)
        self._conn = flusher
        self._opened = time.monotonic()
        return flusher
