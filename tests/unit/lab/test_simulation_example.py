"""The example of the paper's section 3.2, to the letter, and what of the clock it rests on."""

from typing import Any

import pytest
from tiny_campaigns import run, setting

from al_lab.config.settings import Clock, People


def versions_behind(**arrangement: Any) -> list[int | None]:
    """The version behind each query, where a training takes three times as long as a query."""
    return [asked.version for asked in run(setting(budget=26, **arrangement)).asked]


# S of one query: the adaptive depth at its floor, or a fixed batch of one.
@pytest.mark.parametrize("batch_size", [0, 1])
def test_one_server_serves_four_queries_and_then_three_of_each_version(batch_size: int) -> None:
    expected = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert versions_behind(servers=1, batch_size=batch_size) == expected


@pytest.mark.parametrize("batch_size", [0, 1])
def test_with_three_servers_every_query_after_the_fourth_has_a_new_version(batch_size: int) -> None:
    expected = [0, 0, 0, 0, *range(1, 13)]
    assert versions_behind(servers=3, batch_size=batch_size) == expected


def test_three_servers_on_one_device_are_no_better_than_one() -> None:
    # Each training takes three times as long; a version comes out every three queries.
    shared = versions_behind(servers=3, devices=1)
    assert shared == [*[0] * 10, 1, 1, 1, 2, 2, 2]


def test_servers_that_start_together_publish_together() -> None:
    together = versions_behind(servers=3, offset=False)
    # Three versions at once; the last of them is the newest.
    assert together == [0, 0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9, 12, 12, 12]


def test_a_tenth_of_a_second_is_exactly_that() -> None:
    # Three answers of 0.1 s end with a training of 0.3 s, though 0.1 + 0.1 + 0.1 > 0.3.
    quick = setting(
        budget=26, people=People(seconds_per_label=0.1), clock=Clock(training=0.3, scoring=0.0)
    )
    assert [asked.version for asked in run(quick).asked][:10] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
