"""Blocking database work of a web process, off the event loop."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from channels.db import database_sync_to_async

P = ParamSpec("P")
R = TypeVar("R")


def off_loop(function: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """`function` run in a thread that closes its old database connections; keeps its type."""
    in_thread: Callable[P, Awaitable[R]] = database_sync_to_async(function)
    return in_thread
