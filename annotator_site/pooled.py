"""Reading over pooled connections, which may have died while idle."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool

T = TypeVar("T")
C = TypeVar("C", bound=psycopg.AsyncConnection)


async def read(pool: AsyncConnectionPool[C], work: Callable[[C], Awaitable[T]]) -> T:
    """Return the result of `work`, tried again over other connections while these are dead.

    A restart of the database leaves dead connections in the pool, which must not refuse a new
    visitor. Raises psycopg.Error and PoolTimeout while the database is away.
    """
    for _ in range(pool.max_size):  # all of them may be dead
        conn: C | None = None
        try:
            async with pool.connection() as conn:
                return await work(conn)
        except psycopg.OperationalError:
            # A live connection says that the database is slow: asking again would make it slower.
            if conn is None or not conn.closed:
                raise
    async with pool.connection() as conn:
        return await work(conn)
