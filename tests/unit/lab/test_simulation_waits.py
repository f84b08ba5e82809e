"""Who waits for what and how long, worked out by hand."""

import pytest
from tiny_campaigns import Course, run, setting

from al_lab.config.settings import Clock, People


def shown_at(course: Course, person: int) -> list[float]:
    """When a person was shown each query."""
    return [asked.at for asked in course.asked if asked.person == person]


def test_in_the_ordinary_loop_everybody_waits_for_training_and_scoring() -> None:
    course = run(
        setting(
            mode="synchronous",
            budget=22,
            batch_size=4,
            people=People(count=2),
            clock=Clock(training=2.0, training_per_label=0.1, scoring=0.5, scoring_per_image=0.01),
        )
    )
    # Each answers two of the first batch by 2 s. Training on 14 labels takes 3.4 s, looking at
    # the other 186 images 2.36 s; then 18 labels, 3.8 s, and 182 images, 2.32 s.
    first = 2 + 3.4 + 2.36
    second = first + 2 + 3.8 + 2.32
    shown = [0, 1, first, first + 1, second, second + 1]
    assert shown_at(course, 0) == pytest.approx(shown)
    assert shown_at(course, 1) == pytest.approx(shown)
    waits = course.finished["waits"]
    assert waits["count"] == 4
    assert waits["seconds"] == pytest.approx(2 * (5.76 + 6.12))
    assert waits["p99"] == pytest.approx(6.12)
    # Five times each of them was shown a query after an answer, three times at once.
    assert course.finished["between_queries"]["mean"] == pytest.approx((5.76 + 6.12) / 5)
    assert [event["at"] for event in course.of("version")] == pytest.approx(
        [0, 5.4, first + 2 + 3.8]
    )


def test_in_the_ordinary_loop_who_is_quick_waits_for_who_is_last() -> None:
    course = run(
        setting(
            mode="synchronous",
            budget=16,
            batch_size=3,
            people=People(count=2),
            clock=Clock(training=3.0, scoring=0.5),
        )
    )
    # Who waits longest is served first, and so comes first for the third of the next batch.
    assert shown_at(course, 0) == [0, 1, 5.5]
    assert shown_at(course, 1) == [0, 5.5, 6.5]
    # The other one waits a second until the campaign ends.
    assert course.finished["waits"]["count"] == 3
    assert course.finished["waits"]["seconds"] == pytest.approx(3.5 + 4.5 + 1.0)


def test_people_wait_where_a_pass_takes_longer_than_an_answer() -> None:
    course = run(setting(budget=20, batch_size=1, clock=Clock(training=1_000.0, scoring=1.5)))
    # A pass ranks four images, and there is the next one when the fourth is taken, at 3 s.
    assert [asked.at for asked in course.asked][:6] == [0, 1, 2, 3, 4.5, 5.5]
    assert course.finished["waits"]["count"] == 2
    assert course.finished["waits"]["seconds"] == pytest.approx(1.0)


def test_with_a_deeper_pool_nobody_waits() -> None:
    course = run(
        setting(
            budget=60,
            depth_floor=20,
            people=People(count=5),
            clock=Clock(training=4.0, scoring=0.5),
            workers=3,
        )
    )
    assert course.finished["waits"] == {"count": 0, "seconds": 0.0, "mean": None, "p99": None}
    assert course.finished["between_queries"]["mean"] == 0
    assert course.finished["at"] == 10


def test_what_is_held_ahead_bridges_a_gap_and_makes_queries_older() -> None:
    def of(ahead: int) -> Course:
        people = People(count=2, ahead=ahead)
        return run(setting(budget=40, people=people, clock=Clock(training=4.0, scoring=0.0)))

    held, direct = of(2), of(0)
    assert held.finished["staleness"]["mean"] > direct.finished["staleness"]["mean"]
    assert held.finished["at"] == direct.finished["at"]


def test_people_who_can_have_nothing_more_end_the_campaign() -> None:
    # Everything is asked of one of them, and nobody is asked twice.
    course = run(setting(budget=200, initial=190, people=People(count=2)))
    assert course.finished["labels"] == 200
