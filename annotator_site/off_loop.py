"""Running a web process's blocking database work off the event loop."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async
from django.db import InternalError, connection
from psycopg.errors import ReadOnlySqlTransaction

P = ParamSpec("P")
R = TypeVar("R")


def off_loop(function: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """Make `function` awaitable: it runs in a thread that closes old database connections."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except InternalError as error:
            if isinstance(error.__cause__, ReadOnlySqlTransaction) and connection.connection:
                # The connection became read-only when it was opened, and would stay so.
                connection.connection.close()
            raise

    in_thread: Callable[P, Awaitable[R]] = database_sync_to_async(run)
    return in_thread
