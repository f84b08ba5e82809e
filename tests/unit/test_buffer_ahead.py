"""How many queries are held ahead: few where that is enough, more where it is not."""

import pytest

from annotator_site.simulation.ahead import (
    MAX_QUERIES,
    MIN_MEASUREMENTS,
    MIN_QUERIES,
    START_QUERIES,
    Ahead,
    ahead,
)


def measured(value: float, count: int = MIN_MEASUREMENTS) -> list[float]:
    return [value] * count


def test_nothing_changes_before_enough_is_measured() -> None:
    assert ahead(START_QUERIES, measured(9.0), measured(0.1, MIN_MEASUREMENTS - 1)) == START_QUERIES
    assert ahead(START_QUERIES, measured(9.0, MIN_MEASUREMENTS - 1), measured(0.1)) == START_QUERIES


@pytest.mark.parametrize(
    ("delay", "gap", "size"),
    [(0.02, 1.0, 3), (0.3, 0.4, 3), (0.3, 0.15, 4), (0.3, 0.1, 5), (1.0, 0.25, 6), (2.0, 0.4, 7)],
)
def test_the_size_is_what_one_answers_during_a_slow_round_trip_and_two_more(
    delay: float, gap: float, size: int
) -> None:
    assert ahead(MAX_QUERIES, measured(delay), measured(gap)) == size


@pytest.mark.parametrize(
    ("delay", "gap", "size"),
    [(60.0, 0.2, MAX_QUERIES), (1.0, 0.0, MAX_QUERIES), (0.0, 5.0, MIN_QUERIES)],
)
def test_the_size_has_bounds(delay: float, gap: float, size: int) -> None:
    assert ahead(START_QUERIES, measured(delay), measured(gap)) == size


def test_the_slow_and_the_fast_count_but_not_a_single_one_of_them() -> None:
    delays, gaps = measured(0.1, 20), measured(1.0, 20)
    assert ahead(START_QUERIES, [*delays[1:], 30.0], [*gaps[1:], 0.01]) == 3
    assert ahead(START_QUERIES, [*delays[2:], 4.0, 4.0], gaps) == 6
    assert ahead(START_QUERIES, delays, [*gaps[2:], 0.02, 0.02]) == 7


def test_a_size_is_raised_at_once_and_lowered_only_by_two_or_more() -> None:
    assert ahead(3, measured(0.2), measured(0.1)) == 4
    assert ahead(5, measured(0.2), measured(0.1)) == 5
    assert ahead(6, measured(0.2), measured(0.1)) == 4


def test_the_newest_twenty_decide() -> None:
    person = Ahead()
    clock, sizes = 0.0, []
    for delay, gap in [(2.0, 0.25)] * 40 + [(0.02, 1.0)] * 40:
        clock += gap
        person.answered(clock)
        if person.delayed(delay):
            sizes.append(person.size)
    assert sizes == [10, 3]


def test_a_size_that_is_given_stays() -> None:
    person = Ahead(7)
    for number in range(40):
        person.answered(number / 10)
        assert not person.delayed(3.0)
    assert person.size == 7
