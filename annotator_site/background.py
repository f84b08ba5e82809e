"""The endless tasks of a web process: restarted when they fail, and reported by /readyz.

Only unforeseen errors get here: each task itself handles a database that is away.
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
"""A task that has run for this long after a failure counts as running again."""
FORGIVEN_SECONDS: Final = 60.0
"""A task that ran for this long before it failed is restarted after the first, short pause."""

Work = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Health:
    """The state of one task; while an essential task is down, this process serves no labeling."""

    name: str
    essential: bool
    failures: int = 0
    last_error: str = ""
    # time.monotonic() at the latest start; None while the task waits for a restart.
    began: float | None = None

    @property
    def is_down(self) -> bool:
        """Whether the task failed and has not run for STEADY_SECONDS since."""
        if self.began is None:
            return True
        return self.failures > 0 and time.monotonic() - self.began < STEADY_SECONDS


class Background:
    """The endless tasks of one process."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], Health] = {}

    def start(self, name: str, work: Work, *, essential: bool = True) -> asyncio.Task[None]:
        """Run `work` until it returns or the task is canceled; restart it after an exception."""
        health = Health(name, essential)
        task = asyncio.get_running_loop().create_task(_keep_running(work, health), name=name)
        self._tasks[task] = health
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def report(self) -> list[Health]:
        """The state of all tasks, the one with most failures first; callable from any thread."""
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
        # Jitter (no secret), so that tasks that failed together do not restart together.
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


background = Background()
