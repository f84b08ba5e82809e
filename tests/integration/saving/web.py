"""A web process without its web: real desks on an event loop of their own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from annotator_site.labeling.desk import Desk
from annotator_site.labeling.desks import Desks

T = TypeVar("T")
_PATIENCE_S: Final = 20.0


def is_settled(desk: Desk) -> bool:
    """Whether everything that people said is answered."""
    return not (desk._pending or desk.committed or desk._current)


class WebProcess:
    """Desks that run beside the test, with their own database connections and session ids."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self.desks = Desks()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the process's loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_PATIENCE_S)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function that belongs to the loop."""

        async def work() -> T:
            return function(*arguments)

        return self.run(work())

    def until(self, true: Callable[[], bool]) -> None:
        """Return once something is so, asked in the process's loop."""

        async def wait() -> None:
            while not true():  # noqa: ASYNC110 - of what has no event
                await asyncio.sleep(0.001)

        self.run(wait())

    def open(self, slug: str) -> Desk:
        """The desk of a campaign."""
        desk = self.run(self.desks.desk(slug))
        assert desk is not None
        return desk

    def forget(self, desk: Desk) -> None:
        """Close a desk before its campaign goes, once nothing of it is under way.

        There is no call for that in real life, where a desk goes when its campaign has gone.
        """

        self.until(lambda: is_settled(desk))

        async def close() -> None:
            del self.desks._desks[desk.campaign.id]
            await _cancel(self.desks._tasks.pop(desk.campaign.id))

        self.run(close())

    def stop(self) -> None:
        """End everything, its database connections too."""

        async def end() -> None:
            pool = await self.desks.pool()
            await _cancel(self.desks._background)
            await pool.close()
            await sync_to_async(connections.close_all)()

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
