"""What a simulated campaign adds up to."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """Counts and measures as they come; times are seconds.

    `gaps` are, for each query that a person was shown after an answer, how long there was none,
    mostly 0; `waits` are those during which time passed. `newest` counts queries of the newest or
    second newest version at the time of the answer, of `chosen` by some version.
    """

    staleness: list[int] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    chosen_by: Counter[str] = field(default_factory=Counter)
    newest: int = 0
    chosen: int = 0
    answers: int = 0
    _told: int = 0

    def answered(self, *, staleness: int | None, newer: int, age: float) -> None:
        """An answer came to a query of a version with so many newer ones; None without any."""
        self.answers += 1
        self.ages.append(age)
        if staleness is not None:
            self.staleness.append(staleness)
            self.chosen += 1
            self.newest += newer <= 1

    def staleness_since(self) -> float | None:
        """The mean since the last call."""
        new, self._told = self.staleness[self._told :], len(self.staleness)
        return mean(new)

    @property
    def waits(self) -> list[float]:
        """Those gaps in which time passed."""
        return [gap for gap in self.gaps if gap > 0]

    def summary(self) -> dict[str, Any]:
        """What `finished` says of it."""
        waits = self.waits
        return {
            "answers": self.answers,
            "staleness": spread(self.staleness),
            "age_seconds": spread(self.ages),
            "newest_share": self.newest / self.chosen if self.chosen else None,
            "waits": {
                "count": len(waits),
                "seconds": math.fsum(waits),
                "mean": mean(waits),
                "p99": quantile(waits, 0.99),
            },
            "between_queries": {"mean": mean(self.gaps), "p99": quantile(self.gaps, 0.99)},
            "chosen_by": dict(sorted(self.chosen_by.items())),
        }


def mean(numbers: Sequence[float]) -> float | None:
    """Their mean; None of none."""
    return math.fsum(numbers) / len(numbers) if numbers else None


def quantile(numbers: Sequence[float], part: float) -> float | None:
    """The least of them that at least this part of them does not exceed; None of none."""
    return sorted(numbers)[max(math.ceil(part * len(numbers)) - 1, 0)] if numbers else None


def spread(numbers: Sequence[float]) -> dict[str, float | None]:
    """Mean, median and 99th percentile."""
    return {
        "mean": mean(numbers),
        "p50": quantile(numbers, 0.5),
        "p99": quantile(numbers, 0.99),
    }
