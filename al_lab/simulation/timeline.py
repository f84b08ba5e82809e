"""The virtual clock and its events.

Time is counted in whole nanoseconds, so that three answers of 0.1 s end exactly when a training of
0.3 s does. Events of the same instant happen in the order of `Kind`, those of the same kind in the
order in which they were scheduled.
"""

import heapq
from collections.abc import Callable
from enum import IntEnum
from typing import Final

_NANOSECONDS: Final = 1_000_000_000


class Kind(IntEnum):
    """Kinds of events, in the order in which they happen at the same instant."""

    PUBLISHED = 0
    ANSWERED = 1
    PASSED = 2
    WOKEN = 3


class Timeline:
    """The clock, which moves from event to event, and the events to come."""

    def __init__(self) -> None:
        self._now = 0
        self._scheduled = 0
        self._events: list[tuple[int, Kind, int, Callable[[], None]]] = []

    @property
    def seconds(self) -> float:
        """The time now."""
        return self._now / _NANOSECONDS

    def schedule(self, seconds: float, kind: Kind, action: Callable[[], None]) -> None:
        """Schedule an action so many seconds from now, 0 or more; 0 is this instant."""
        self._scheduled += 1
        at = self._now + round(seconds * _NANOSECONDS)
        heapq.heappush(self._events, (at, kind, self._scheduled, action))

    def run_next(self) -> bool:
        """Run the next event of this instant; returns whether there was one."""
        if not self._events or self._events[0][0] > self._now:
            return False
        heapq.heappop(self._events)[-1]()
        return True

    def advance(self) -> bool:
        """Move the clock to the next event; returns whether there is one."""
        if self._events:
            self._now = self._events[0][0]
        return bool(self._events)
