"""Reading over connections that may have died while nobody used them."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

T = TypeVar("T")
C = TypeVar("C", bound=psycopg.AsyncConnection)


async def read(pool: AsyncConnectionPool[C], work: Callable[[C], Awaitable[T]]) -> T:
    """What `work` reads over a connection; over another where the first proves to be dead.

    A restarted server leaves dead ones in the pool, and nobody who arrives is to be sent away for
    that. Raises psycopg.Error and PoolTimeout while the database is away.
    """
    try:
        async with pool.connection() as conn:
            return await work(conn)
    except PoolTimeout:
        raise
    except psycopg.OperationalError:
        async with pool.connection() as conn:
            return await work(conn)
