"""The endless tasks of a web process: each is started again when it fails, and health can ask how
they are.

Only what nobody foresaw gets here: a task handles by itself that its database is away.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 30.0
STEADY_SECONDS: Final = 1.0
"""A task that has run for so long after a failure counts as running again."""
FORGIVEN_SECONDS: Final = 60.0
"""After so long without a failure the next pause is the first one again."""

Work = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Health:
    """How one task is; without an essential one nobody can label through this process."""

    name: str
    essential: bool
    failures: int = 0
    last_error: str = ""
    # Of time.monotonic(); None while it waits to be started again.
    began: float | None = None

    @property
    def is_down(self) -> bool:
        """Whether it failed and has not run steadily since."""
        if self.began is None:
            return True
        return self.failures > 0 and time.monotonic() - self.began < STEADY_SECONDS


class Background:
    """The endless tasks of one process."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], Health] = {}

    def start(self, name: str, work: Work, *, essential: bool = True) -> asyncio.Task[None]:
        """Run `work` until it returns or the task is canceled; after an exception, again."""
        health = Health(name, essential)
        task = asyncio.get_running_loop().create_task(_keep_running(work, health), name=name)
        self._tasks[task] = health
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def report(self) -> list[Health]:
        """How all of them are, those that failed first; may be asked from any thread."""
        return sorted(self._tasks.copy().values(), key=lambda health: -health.failures)


async def _keep_running(work: Work, health: Health) -> None:
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = health.began = time.monotonic()
        try:
            await work()
            return
        except Exception as error:
            health.failures += 1
            health.last_error = type(error).__name__
            health.began = None
            log.exception("The task “%s” failed and is started again.", health.name)
        if time.monotonic() - began > FORGIVEN_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        # Not a secret: tasks that failed together do not come back together.
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


background = Background()
