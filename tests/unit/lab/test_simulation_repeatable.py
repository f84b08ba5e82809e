"""The same seed gives the same campaign, whoever looks at it, and arms share what they can."""

import pytest
from tiny_campaigns import Course, digits, run, setting

from al_lab.config.settings import Clock, Data, Model, People, Setting
from al_lab.data.datasets import draw


def busy() -> Setting:
    return setting(
        budget=50,
        evaluate_every=20,
        people=People(count=4, error_rate=0.1),
        clock=Clock(training=2.5, training_per_label=0.01, scoring=0.3),
        workers=3,
        servers=2,
        depth_floor=12,
        strategies=("margin", "badge", "committee"),
    )


def test_a_seed_gives_one_campaign_bit_for_bit() -> None:
    one, two = run(busy()), run(busy())
    assert one.repeatable == two.repeatable
    assert one.asked == two.asked
    other = run(busy(), seed=1)
    assert [each.row for each in other.asked] != [each.row for each in one.asked]


@pytest.mark.parametrize("warm_start", ["scratch", "shrink_perturb"])
@pytest.mark.parametrize("choice", ["latest", "most_labels"])
def test_a_model_that_nobody_looks_at_need_not_be_trained(warm_start: str, choice: str) -> None:
    of = setting(
        budget=40,
        evaluate_every=15,
        model=Model(warm_start=warm_start),  # type: ignore[arg-type]
        people=People(count=2),
        clock=Clock(training=0.7, scoring=0.0),
        batch_size=10,
        refresh=False,
        servers=2,
        model_choice=choice,
    )
    lazy, eager = run(of), run(of, eager=True)
    assert without_trainings(lazy) == without_trainings(eager)
    assert eager.finished["trainings"] >= eager.finished["versions"]
    if warm_start == "scratch":
        assert lazy.finished["trainings"] < 0.7 * lazy.finished["versions"]


def without_trainings(course: Course) -> list[dict[str, object]]:
    return [{k: v for k, v in event.items() if k != "trainings"} for event in course.repeatable]


def test_arms_share_pool_first_labels_and_evaluations() -> None:
    arms = [
        run(setting(budget=20, evaluate_every=10, strategies=(name,)))
        for name in ("random", "entropy")
    ]
    start = [arm.of("evaluated")[0]["accuracy"] for arm in arms]
    assert start[0] == start[1]
    one, _ = draw(digits(), Data("digits", 8, train=200, test=100), seed=0)
    two, _ = draw(digits(), Data("digits", 8, train=200, test=100), seed=0)
    assert one.shows.tolist() == two.shows.tolist()


def test_labels_are_evaluated_at_both_ends_and_between() -> None:
    course = run(setting(initial=10, budget=45, evaluate_every=20))
    assert [event["labels"] for event in course.of("evaluated")] == [10, 30, 45]
    first, middle, last = course.of("evaluated")
    assert first["newest_accuracy"] is not None
    assert (first["answers"], middle["answers"], last["answers"]) == (0, 20, 35)
    assert middle["at"] == 20
    # Trainings begin at 1 s and every 3 s from 4 s on; that of 16 s is published at 19 s.
    assert middle["labels_of_newest"] == 26
    assert course.progress[-1] == 1.0
    assert course.progress == sorted(course.progress)


def test_measured_durations_are_those_of_trainings() -> None:
    course = run(setting(budget=30, clock=Clock(), people=People(count=2, seconds_per_label=0.05)))
    seconds = [event["train_seconds"] for event in course.of("version")]
    assert all(0 < each < 10 for each in seconds)
    assert course.finished["labels"] == 30


def test_an_arrangement_that_could_never_end_is_refused() -> None:
    with pytest.raises(ValueError, match="pool has 200"):
        run(setting(budget=201))
    with pytest.raises(ValueError, match="as many people"):
        run(setting(people=People(count=2, answers_per_image=3)))
    with pytest.raises(ValueError, match="batch_size"):
        run(setting(mode="synchronous"))
