"""Blocking work with stored files, off the event loop and in threads of its own.

A mount whose server is gone may hold a thread for minutes: then it is one of these.
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
    """What `work` returns, however long it takes; it may use Django's database connection."""

    def run() -> T:
        try:
            return work()
        finally:
            connection.close()

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


async def soon(work: Callable[[], T], late: Callable[[T], None] | None = None) -> T:
    """The same without the database, for at most PATIENCE_SECONDS. Raises TimeoutError.

    `late` gets what it returns after that.
    """
    running = _threads.submit(work)
    future = asyncio.wrap_future(running)
    try:
        done, _ = await asyncio.wait({future}, timeout=PATIENCE_SECONDS)
        if not done:
            raise TimeoutError("the storage does not answer")
        return future.result()
    finally:
        if not future.done():  # nobody waits for it any more
            # Looked at, so that its failure is nobody's.
            future.add_done_callback(lambda gone: gone.cancelled() or gone.exception())
            if late is not None and not running.cancel():
                running.add_done_callback(partial(_hand_over, late))


def _hand_over(late: Callable[[T], None], done: "Future[T]") -> None:
    if done.exception() is None:
        late(done.result())
