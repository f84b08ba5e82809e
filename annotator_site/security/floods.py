"""Thins out frequent events: logs the first few of a minute, and counts the others.

Pure: callers pass the time.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60.0
TOLD_OF_ORIGIN: Final = 10
"""Events of one kind and origin that are logged in a minute."""
TOLD_OF_KIND: Final = 100
"""Events of one kind that are logged in a minute, over all origins."""
COUNTED_ORIGINS: Final = 500
"""Origins of one kind that are counted separately; further ones are counted as ELSEWHERE."""
ELSEWHERE: Final = "elsewhere"


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of events of a kind and origin that were not logged in the past minute."""

    kind: str
    origin: str
    count: int


class Tally:
    """The events of a minute, which begins with its first event."""

    def __init__(self) -> None:
        self._began = 0.0
        self._seen: Counter[tuple[str, str]] = Counter()
        self._origins: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._counted: Counter[tuple[str, str]] = Counter()

    def take(self, kind: str, origin: str, now: float) -> bool:
        """Whether to log this event; else it is counted. First `close` a minute that has ended."""
        if not self._seen:
            self._began = now
        key = kind, origin
        if key not in self._seen:
            if self._origins[kind] >= COUNTED_ORIGINS:
                key = kind, ELSEWHERE
            self._origins[kind] += 1
        self._seen[key] += 1
        if self._seen[key] <= TOLD_OF_ORIGIN and self._told[kind] < TOLD_OF_KIND:
            self._told[kind] += 1
            return True
        self._counted[key] += 1
        return False

    def ends_in(self, now: float) -> float:
        """Seconds until this minute ends."""
        return self._began + MINUTE_S - now

    def close(self) -> list[Counted]:
        """Return what was counted, and begin a new minute."""
        counted = [Counted(*key, count) for key, count in self._counted.most_common()]
        for each in (self._seen, self._origins, self._told, self._counted):
            each.clear()
        return counted
