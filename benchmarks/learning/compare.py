"""From the accuracies of paired runs to the figures of a table. Numbers in, numbers out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

T_975: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""The 97.5 % point of Student's t for 1, 2, ... degrees of freedom."""

MOST_PAIRS: Final = len(T_975) + 1


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and how far its 95 % confidence interval reaches to either side; inf of one pair."""

    mean: float
    half_width: float

    @property
    def side(self) -> int:
        """1 or -1 where the whole interval is above or below 0, else 0."""
        if abs(self.mean) <= self.half_width:
            return 0
        return 1 if self.mean > 0 else -1


def curve_mean(labels: Sequence[int], accuracy: Sequence[float]) -> float:
    """The mean height of a curve of straight lines through these points (trapezoidal rule).

    `labels` rise. Raises ValueError for fewer than two points or for lengths that differ.
    """
    if len(labels) != len(accuracy) or len(labels) < 2:
        raise ValueError(
            "A curve needs two points at least, and an accuracy for each; there are "
            f"{len(labels)} and {len(accuracy)}."
        )
    area = sum(
        (labels[n + 1] - labels[n]) * (accuracy[n] + accuracy[n + 1]) / 2
        for n in range(len(labels) - 1)
    )
    return area / (labels[-1] - labels[0])


def paired_interval(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The mean of `ours` - `theirs`, pair by pair, with its 95 % t-interval [Student, 1908].

    mean ± t(0.975; n - 1) · s / √n, s the sample's standard deviation of the n differences. What
    the pairs have in common (the first labels, the networks' seeds) cancels out. Raises ValueError
    for no pairs, more than `MOST_PAIRS`, or lengths that differ.
    """
    if len(ours) != len(theirs) or not 1 <= len(ours) <= MOST_PAIRS:
        raise ValueError(f"Pairs must be 1 to {MOST_PAIRS}; there are {len(ours)}, {len(theirs)}.")
    differences = [our - their for our, their in zip(ours, theirs, strict=True)]
    count = len(differences)
    if count == 1:
        return Interval(differences[0], math.inf)
    spread = T_975[count - 2] * stdev(differences) / math.sqrt(count)
    return Interval(fmean(differences), spread)


def labels_to_reach(labels: Sequence[int], accuracy: Sequence[float], level: float) -> float | None:
    """Where the curve of straight lines first is at `level`, in labels; None where it never is."""
    if accuracy[0] >= level:
        return float(labels[0])
    for n in range(len(labels) - 1):
        low, high = accuracy[n], accuracy[n + 1]
        if high >= level:
            return labels[n] + (labels[n + 1] - labels[n]) * (level - low) / (high - low)
    return None
