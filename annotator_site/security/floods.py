"""What comes too often is counted: the first few of a minute are told, then their number.

Pure: whoever calls says what time it is.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60.0
TOLD_OF_ORIGIN: Final = 10
"""So many of one kind and origin are told in a minute."""
TOLD_OF_KIND: Final = 100
"""So many of one kind, whatever their origins."""
COUNTED_ORIGINS: Final = 500
"""So many origins of one kind are counted apart; the others together."""
ELSEWHERE: Final = "elsewhere"


@dataclass(frozen=True, slots=True)
class Counted:
    """How many events of a kind and origin were not told in the minute that has ended."""

    kind: str
    origin: str
    count: int


class Tally:
    """The events of a minute, which begins with the first one."""

    def __init__(self) -> None:
        self._began = 0.0
        self._seen: Counter[tuple[str, str]] = Counter()
        self._origins: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._counted: Counter[tuple[str, str]] = Counter()

    def take(self, kind: str, origin: str, now: float) -> bool:
        """Whether this event is told; else it is counted. Close a minute that has ended before."""
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
        """What was counted, and begin anew."""
        counted = [Counted(*key, count) for key, count in self._counted.most_common()]
        for each in (self._seen, self._origins, self._told, self._counted):
            each.clear()
        return counted
