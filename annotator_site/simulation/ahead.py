"""How many queries a client holds ahead: few, so that they are fresh, but enough to never wait.

The labeling page has the same rule (static/labeling/ahead.js).
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

START_QUERIES: Final = 5
"""Size of the buffer until MIN_MEASUREMENTS are there."""
MIN_QUERIES: Final = 2
MAX_QUERIES: Final = 20
MIN_MEASUREMENTS: Final = 5
"""Number of delays, and of gaps, below which the size is not changed."""
KEPT_MEASUREMENTS: Final = 20
"""Number of newest delays, and of newest gaps, that are used."""
MARGIN_QUERIES: Final = 2
"""The query in view and one spare query."""
MIN_SHRINK_QUERIES: Final = 2
"""A size is reduced only by at least this many queries."""


def ahead(current: int, delays: Sequence[float], gaps: Sequence[float]) -> int:
    """The new size of the buffer in queries; `current` if there is no reason to change it.

    `delays`: the newest times, in seconds, from an answer until its successor could be shown;
    `gaps`: the newest times in seconds between answers.
    """
    if min(len(delays), len(gaps)) < MIN_MEASUREMENTS:
        return current
    # The second slowest and second fastest: a single outlier must not decide.
    slow = sorted(delays)[-2]
    fast = sorted(gaps)[1]
    meanwhile = math.ceil(slow / fast) if fast > 0 else MAX_QUERIES
    need = min(max(meanwhile + MARGIN_QUERIES, MIN_QUERIES), MAX_QUERIES)
    return need if need > current or need <= current - MIN_SHRINK_QUERIES else current


class Ahead:
    """The buffer size of one annotator, from that annotator's measurements.

    `given`: a fixed size, or None.
    """

    def __init__(self, given: int | None = None) -> None:
        self.size = given or START_QUERIES
        self._fixed = given is not None
        self._delays: deque[float] = deque(maxlen=KEPT_MEASUREMENTS)
        self._gaps: deque[float] = deque(maxlen=KEPT_MEASUREMENTS)
        self._answered_at: float | None = None

    def answered(self, now: float) -> None:
        """Note an answer; `now` in seconds of any clock."""
        if self._answered_at is not None:
            self._gaps.append(now - self._answered_at)
        self._answered_at = now

    def delayed(self, delay: float) -> bool:
        """Note the delay of an answer's successor, in seconds; returns whether the size changed."""
        self._delays.append(delay)
        former = self.size
        if not self._fixed:
            self.size = ahead(former, self._delays, self._gaps)
        return self.size != former
