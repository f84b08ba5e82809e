"""The virtual clock and what will happen on it.

Time is counted in whole nanoseconds: three answers of 0.1 s end exactly when a training of 0.3 s
does. What happens at one instant happens in the order of `Kind`, and within a kind in the order
in which it was announced.
"""

import heapq
from collections.abc import Callable
from enum import IntEnum
from typing import Final

_PER_SECOND: Final = 1_000_000_000


class Kind(IntEnum):
    """What comes first at an instant."""

    PUBLISHED = 0
    ANSWERED = 1
    PASSED = 2
    WOKEN = 3


class Timeline:
    """The clock stands at `seconds`, and moves to the next event when nothing is left to do."""

    def __init__(self) -> None:
        self._now = 0
        self._told = 0
        self._events: list[tuple[int, Kind, int, Callable[[], None]]] = []

    @property
    def seconds(self) -> float:
        """The time now."""
        return self._now / _PER_SECOND

    def after(self, seconds: float, kind: Kind, action: Callable[[], None]) -> None:
        """Do something so many seconds from now; 0 is this very instant. They are not negative."""
        self._told += 1
        at = self._now + round(seconds * _PER_SECOND)
        heapq.heappush(self._events, (at, kind, self._told, action))

    def happen(self) -> bool:
        """Let the next event of this instant happen; whether there was one."""
        if not self._events or self._events[0][0] > self._now:
            return False
        heapq.heappop(self._events)[-1]()
        return True

    def move_on(self) -> bool:
        """Move the clock to the next event; False where there is none."""
        if self._events:
            self._now = self._events[0][0]
        return bool(self._events)
