"""How much better one model is than another, with an interval."""

import pytest

from al_engine.decisions.comparing import Share, gain
from al_engine.training.evaluate import wilson


def share(right: int, count: int) -> Share:
    low, high = wilson(right, count)
    return Share(right / count, low, high)


def test_the_interval_of_a_difference_is_that_of_newcombe() -> None:
    # Newcombe 1998, table II, (a): 56/70 less 48/80, method 10.
    found = gain(share(56, 70), share(48, 80))
    assert [found.value, found.low, found.high] == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)


def test_a_difference_turned_round_has_the_interval_turned_round() -> None:
    one, other = share(9, 10), share(50, 100)
    there, back = gain(one, other), gain(other, one)
    turned = [-there.value, -there.high, -there.low]
    assert [back.value, back.low, back.high] == pytest.approx(turned)
    assert gain(share(10, 10), share(0, 10)).high == 1.0
