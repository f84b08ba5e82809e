"""How much better one model answers than another. Pure; standard library only."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Share:
    """A share of right answers with its 95 % interval."""

    value: float
    low: float
    high: float


def gain(one: Share, other: Share) -> Share:
    """By how much `one` is above `other`, -1 to 1, with a 95 % interval (Newcombe 1998, method 10).

    As if measured on different images. On the same ones two models err together, so that the
    interval is wider than it need be.
    """
    value = one.value - other.value
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Share(value, max(-1.0, value - down), min(1.0, value + up))
