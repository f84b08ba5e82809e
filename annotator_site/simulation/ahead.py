"""How many queries to hold ahead: few, so that they are fresh, and never too few, so that nobody
waits. The labeling page keeps the same rule (static/labeling/ahead.js).
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

START_QUERIES: Final = 5
"""Until enough is measured."""
MIN_QUERIES: Final = 2
MAX_QUERIES: Final = 20
MIN_MEASUREMENTS: Final = 5
"""Of each, before they say anything."""
KEPT_MEASUREMENTS: Final = 20
"""The newest of each that count."""
MARGIN_QUERIES: Final = 2
"""The one in view, and one to spare."""
MIN_SHRINK_QUERIES: Final = 2
"""So much smaller a size, or smaller yet, is worth saying."""


def ahead(current: int, delays: Sequence[float], gaps: Sequence[float]) -> int:
    """The size of the buffer, which is `current` where nothing speaks for another one.

    `delays`: seconds from an answer until its successor could be shown; `gaps`: seconds between
    answers; the newest of each.
    """
    if min(len(delays), len(gaps)) < MIN_MEASUREMENTS:
        return current
    # The second: a single hiccup or slip says nothing.
    slow = sorted(delays)[-2]
    fast = sorted(gaps)[1]
    meanwhile = math.ceil(slow / fast) if fast > 0 else MAX_QUERIES
    need = min(max(meanwhile + MARGIN_QUERIES, MIN_QUERIES), MAX_QUERIES)
    return need if need > current or need <= current - MIN_SHRINK_QUERIES else current


class Ahead:
    """The size for one annotator, from what is measured of them; `given` where it is fixed."""

    def __init__(self, given: int | None = None) -> None:
        self.size = given or START_QUERIES
        self._fixed = given is not None
        self._delays: deque[float] = deque(maxlen=KEPT_MEASUREMENTS)
        self._gaps: deque[float] = deque(maxlen=KEPT_MEASUREMENTS)
        self._answered_at: float | None = None

    def answered(self, now: float) -> None:
        """An answer was given, `now` in seconds of any clock."""
        if self._answered_at is not None:
            self._gaps.append(now - self._answered_at)
        self._answered_at = now

    def delayed(self, delay: float) -> bool:
        """The successor of an answer took so long, in seconds; whether the size is another now."""
        self._delays.append(delay)
        former = self.size
        if not self._fixed:
            self.size = ahead(former, self._delays, self._gaps)
        return self.size != former
