"""Services beside a supervisor's children that must stay alive, each checked by a thread."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from al_engine.supervision.child_output import say

LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True)
class Watch:
    """A service that is not a child: checked every `every_s` seconds, and revived if it is down.

    Both functions run in a thread of their own; an exception of either is printed, and the check is
    repeated.
    """

    name: str
    is_alive: Callable[[], bool]
    revive: Callable[[], None]
    every_s: float = 1.0


def keep_watch(watch: Watch, stopping: threading.Event) -> None:
    """Check and revive until `stopping`; after exceptions, wait longer and longer."""
    pause_s = watch.every_s
    while not stopping.wait(pause_s):
        try:
            if not watch.is_alive():
                say(f"{watch.name} does not answer; it is started again")
                watch.revive()
                say(f"{watch.name} answers again")
            pause_s = watch.every_s
        except Exception as error:
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            say(f"{watch.name}: {error} Trying again in {pause_s:.1f} s.")
