"""Statistics of repeated runs: means with intervals, paired differences, curves.

Runs of the same seed share images, first labels and seeds of networks, so arms are compared pair by
pair: what a pair shares cancels out. Pure functions of the standard library.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, stdev
from typing import Final

CONFIDENCE_LEVEL: Final = 0.95
"""How often an interval contains the true mean."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and half the width of its 95 % confidence interval: inf for a single value.

    Both are NaN where a value is.
    """

    mean: float
    half_width: float

    @property
    def side(self) -> int:
        """1 or -1 where the whole interval is above or below 0, else 0."""
        if math.isnan(self.mean) or abs(self.mean) <= self.half_width:
            return 0
        return 1 if self.mean > 0 else -1


def interval(values: Sequence[float]) -> Interval:
    """The mean of these values with its 95 % t-interval [Student, 1908].

    mean ± t(0.975; n - 1) · s / √n, s the sample's standard deviation and t to three decimals, as
    printed tables have it, so that anybody gets the same by hand. Raises ValueError for none.
    """
    if not values:
        raise ValueError("There is no mean of no values.")
    if any(math.isnan(value) for value in values):  # of which `stdev` makes an AttributeError
        return Interval(math.nan, math.nan)
    if len(values) == 1:
        return Interval(values[0], math.inf)
    quantile = round(t_quantile((1 + CONFIDENCE_LEVEL) / 2, len(values) - 1), 3)
    return Interval(fmean(values), quantile * stdev(values) / math.sqrt(len(values)))


def paired_interval(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The mean of `ours` - `theirs`, pair by pair, with its 95 % t-interval.

    Raises ValueError for no pairs or lengths that differ.
    """
    return interval(_differences(ours, theirs))


def paired_p(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The two-sided p of Student's paired t-test: how likely chance alone causes such a difference.

    1 for a single pair, which says nothing about chance. Raises ValueError as `paired_interval`.
    """
    differences = _differences(ours, theirs)
    if len(differences) == 1:
        return 1.0
    mean, error = fmean(differences), stdev(differences) / math.sqrt(len(differences))
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return t_outside(abs(mean) / error, len(differences) - 1)


def holm(ps: Sequence[float]) -> list[float]:
    """These p-values adjusted for multiple comparisons [Holm, 1979], in the same order.

    The smallest of m is multiplied by m, the next by m - 1 and so on; none is less than the one
    before it or more than 1. The probability that any true null hypothesis gets less than 0.05 is
    at most 5 %.
    """
    adjusted = [1.0] * len(ps)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda n: ps[n])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = least
    return adjusted


def t_outside(t: float, freedom: int) -> float:
    """P(|T| > t) of Student's t with `freedom` (1 or more) degrees of freedom, t at least 0.

    The finite series for whole degrees [Abramowitz and Stegun, 1964: 26.7.3 and 26.7.4].
    """
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = 0.0 if freedom == 1 else term
    for n in range(3 if odd else 2, freedom - 1, 2):
        term *= (n - 1) / n * cosine**2
        total += term
    inside = (angle + sine * total) * 2 / math.pi if odd else sine * total
    return max(0.0, 1.0 - inside)


def t_quantile(share: float, freedom: int) -> float:
    """The value below which `share` (0.5 to below 1) of Student's t lies, by bisection."""
    if not 0.5 <= share < 1 or freedom < 1:
        raise ValueError(
            f"A share from 0.5 to below 1 and a degree of freedom are needed, not {share} and "
            f"{freedom}."
        )
    outside = 2 * (1 - share)
    low, high = 0.0, 1.0
    while t_outside(high, freedom) > outside:
        high *= 2
    while (middle := (low + high) / 2) not in (low, high):
        if t_outside(middle, freedom) > outside:
            low = middle
        else:
            high = middle
    return high


def curve_mean(labels: Sequence[float], accuracy: Sequence[float]) -> float:
    """The average accuracy over a whole curve, as in the paper's Table 1 (section 4.3).

    The mean height of straight lines through these points (trapezoidal rule), so points that lie
    close together do not count more. `labels` are rising. Raises ValueError for fewer than two
    points or for different lengths.
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


def mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of curves at each point; all have the same number of points."""
    return [fmean(at) for at in zip(*curves, strict=True)]


def labels_to_reach(labels: Sequence[int], accuracy: Sequence[float], level: float) -> float | None:
    """The number of labels at which the curve of straight lines first reaches `level`, or None."""
    if accuracy[0] >= level:
        return float(labels[0])
    for n in range(len(labels) - 1):
        low, high = accuracy[n], accuracy[n + 1]
        if high >= level:
            return labels[n] + (labels[n + 1] - labels[n]) * (level - low) / (high - low)
    return None


@dataclass(frozen=True, slots=True)
class Crossing:
    """The number of labels from which a curve lies above another one (`upward`), or below it."""

    labels: float
    upward: bool


def crossings(
    labels: Sequence[float], ours: Sequence[float], theirs: Sequence[float]
) -> list[Crossing]:
    """Where the curve of straight lines through `ours` crosses that through `theirs`, in order.

    Touching is not crossing; a stretch on which both are equal is crossed at its end.
    """
    apart = [
        (at, our - their)
        for at, our, their in zip(labels, ours, theirs, strict=True)
        if our != their
    ]
    found = []
    for (left, before), (right, after) in pairwise(apart):
        if (before > 0) != (after > 0):
            start = max([left, *(at for at in labels if left < at < right)])
            height = before if start == left else 0.0
            found.append(
                Crossing(start + (right - start) * height / (height - after), upward=after > 0)
            )
    return found


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's: 1 where both order things alike, -1 where they reverse each other.

    Equal values share the mean of their ranks. None where one side has fewer than two different
    values, and so no order.
    """
    if len(set(one)) < 2 or len(set(other)) < 2:
        return None
    left, right = _ranks(one), _ranks(other)
    middle = (len(left) + 1) / 2
    together = sum((a - middle) * (b - middle) for a, b in zip(left, right, strict=True))
    alone = sum((a - middle) ** 2 for a in left) * sum((b - middle) ** 2 for b in right)
    return together / math.sqrt(alone)


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def _differences(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    if len(ours) != len(theirs) or not ours:
        raise ValueError(
            f"Pairs need as many values on both sides; there are {len(ours)} and {len(theirs)}."
        )
    return [our - their for our, their in zip(ours, theirs, strict=True)]
