"""Reading over pooled connections, which may have died while idle."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

T = TypeVar("T")
C = TypeVar("C", bound=psycopg.AsyncConnection)


async def read(pool: AsyncConnectionPool[C], work: Callable[[C], Awaitable[T]]) -> T:
    """Return the result of `work`, tried again over other connections while these are dead.

    A restart of the database leaves dead connections in the pool, which must not refuse a new
    visitor. Raises psycopg.Error and PoolTimeout while the database is away.
    """
    for _ in range(pool.max_size):  # all of them may be dead
        try:
            async with pool.connection() as conn:
                return await work(conn)
        except PoolTimeout:
            raise
        except psycopg.OperationalError:
            continue
    async with pool.connection() as conn:
        return await work(conn)
