"""Counts and sums over a simulated campaign."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Tally:
    """Counts and measures of all answers; times are seconds.

    `gaps`: for each query that was shown after an answer, how long the person had none, mostly 0;
    `waits` are those above 0. `chosen` counts answered queries that a version chose, `newest` those
    of them whose version was the newest or second newest when the answer came.
    """

    staleness: list[int] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    chosen_by: Counter[str] = field(default_factory=Counter)
    newest: int = 0
    chosen: int = 0
    answers: int = 0
    _summed: int = 0

    def count_answer(self, *, staleness: int | None, newer: int, age: float) -> None:
        """Count an answer; `newer` versions than that of its query were published.

        `staleness` is None for a query without a version.
        """
        self.answers += 1
        self.ages.append(age)
        if staleness is not None:
            self.staleness.append(staleness)
            self.chosen += 1
            self.newest += newer <= 1

    def staleness_since(self) -> float | None:
        """The mean staleness since the last call."""
        new, self._summed = self.staleness[self._summed :], len(self.staleness)
        return mean(new)

    @property
    def waits(self) -> list[float]:
        """The gaps above 0."""
        return [gap for gap in self.gaps if gap > 0]

    def summary(self) -> dict[str, Any]:
        """The part of the event `finished` that is about answers."""
        waits = self.waits
        return {
            "answers": self.answers,
            "staleness": summarize(self.staleness),
            "age_seconds": summarize(self.ages),
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
    """The mean; None without numbers."""
    return math.fsum(numbers) / len(numbers) if numbers else None


def quantile(numbers: Sequence[float], part: float) -> float | None:
    """The least number that at least this part of the numbers does not exceed; None without any."""
    return sorted(numbers)[max(math.ceil(part * len(numbers)) - 1, 0)] if numbers else None


def summarize(numbers: Sequence[float]) -> dict[str, float | None]:
    """Mean, median and 99th percentile."""
    return {
        "mean": mean(numbers),
        "p50": quantile(numbers, 0.5),
        "p99": quantile(numbers, 0.99),
    }
