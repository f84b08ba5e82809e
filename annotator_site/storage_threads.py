"""Blocking work with stored files, in separate threads off the event loop.

A mount whose server is gone may block a thread for minutes; it then blocks one of these only.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from django.db import connection

T = TypeVar("T")

PATIENCE_SECONDS: Final = 10.0
_THREADS: Final = 16

_threads = ThreadPoolExecutor(_THREADS, "files")


async def with_files(work: Callable[[], T]) -> T:
    """Run `work` without a time limit; it may use Django's database connection."""

    def run() -> T:
        try:
            return work()
        finally:
            connection.close()

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


async def soon(work: Callable[[], T], late: Callable[[T], None] | None = None) -> T:
    """Run `work`, which must not use the database; raises TimeoutError after PATIENCE_SECONDS.

    `late` is called with a result that comes after that.
    """
    running = _threads.submit(work)
    future = asyncio.wrap_future(running)
    try:
        done, _ = await asyncio.wait({future}, timeout=PATIENCE_SECONDS)
        if not done:
            raise TimeoutError("the storage does not answer")
        return future.result()
    finally:
        if not future.done():  # the caller does not wait any more
            # Retrieve the exception, so that asyncio does not log it as never retrieved.
            future.add_done_callback(lambda gone: gone.cancelled() or gone.exception())
            if late is not None and not running.cancel():
                running.add_done_callback(partial(_hand_over, late))


def _hand_over(late: Callable[[T], None], done: "Future[T]") -> None:
    if done.exception() is None:
        late(done.result())
