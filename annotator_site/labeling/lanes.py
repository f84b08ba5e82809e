"""The transactions of a desk that run now: one, or two beside each other."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from annotator_site.labeling.batch import Batch

log = logging.getLogger(__name__)

_LANES: Final = 2
_FEW: Final = 8
"""Messages that are worth a second transaction beside the first."""


class Lanes:
    """Serves batches, each in a task of its own."""

    def __init__(
        self, serve: Callable[[Batch], Awaitable[None]], finished: Callable[[], None]
    ) -> None:
        """`finished` is called after each batch, whatever became of it."""
        # People (annotator ids) whose messages are in a transaction now: their later messages
        # wait for its end, so that nobody overtakes themselves.
        self.busy: set[int] = set()
        self._serve = serve
        self._finished = finished
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_size = 0

    def open_for(self, messages: int) -> bool:
        """Whether a transaction for so many waiting messages may start now.

        The second one begins while the first is in the database, so that this process and the
        database work at the same time; but only for half as many messages as the first had, or
        many small transactions would take the place of few large ones.
        """
        if len(self._tasks) >= _LANES:
            return False
        return not self._tasks or messages >= max(_FEW, self._last_size // 2)

    def start(self, batch: Batch) -> None:
        """Serve a batch."""
        self._last_size = len(batch.submissions)
        sessions = [sub.session for sub in batch.submissions]
        sessions += [resume.session for resume in batch.resumes]
        people = {session.annotator_id for session in sessions}
        self.busy |= people
        task = asyncio.ensure_future(self._run(batch, people))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Stop all; what is not committed is sent again by its people."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, batch: Batch, people: set[int]) -> None:
        try:
            await self._serve(batch)
        except Exception:
            # Nobody waits for ever because of one bug: everybody else's messages go on.
            log.exception("A batch failed.")
        finally:
            self.busy -= people
            asyncio.get_running_loop().call_soon(self._finished)
