"""Which model is g*, what happens when it changes, and what people take."""

import pytest
from tiny_campaigns import POOL, SIDE, Course, run, setting

from al_lab.config.settings import Clock, Data, People


def asked_by(course: Course) -> list[int | None]:
    return [asked.version for asked in course.asked]


def test_a_newer_model_takes_over_what_nobody_has_taken() -> None:
    followed = asked_by(run(setting(depth_floor=30, workers=2, budget=30)))
    assert followed[:10] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_without_refresh_what_was_asked_stays_asked() -> None:
    kept = asked_by(run(setting(depth_floor=30, refresh=False, budget=50)))
    # 30 by version 0. When the eighth is taken, at 7 s, there is room for eight more, which the
    # newest of then chooses; and so on every 8 s.
    assert set(kept) == {0, 2, 4, 7, 10}
    assert kept.count(0) > 20


def test_a_fixed_batch_is_filled_up_once_half_of_it_is_gone() -> None:
    course = run(setting(batch_size=10, refresh=False, budget=50, take="best"))
    chosen_at = sorted({asked.chosen_at for asked in course.asked})
    # Ten at the start, ten more when five are left (the fifth is taken at 4 s); then one in ten.
    assert chosen_at[:4] == [0.0, 4.0, 14.0, 24.0]


def test_models_that_lack_no_new_labels_are_kept_from_workers() -> None:
    course = run(setting(budget=60, imposed_staleness=15))
    stale = [asked.staleness for asked in course.asked]
    assert stale[:16] == list(range(16))
    assert min(each for each in stale[15:] if each is not None) == 15
    # A version is a few labels older than it must be, never newer.
    assert max(each for each in stale[15:] if each is not None) <= 18


def test_the_model_of_most_labels_or_of_best_validation_can_be_g_star() -> None:
    for choice in ("most_labels", "best_validation"):
        course = run(
            setting(
                budget=30,
                model_choice=choice,
                data=Data("digits", SIDE, train=POOL, test=100, validation=50),
            )
        )
        assert course.finished["labels"] == 30
        chosen = [version for version in asked_by(course) if version is not None]
        if choice == "most_labels":
            assert chosen == sorted(chosen)


def test_people_can_take_the_best_of_a_continuous_ranking() -> None:
    best = run(setting(budget=60, depth_floor=40, take="best", clock=Clock(1e6, 0.0, 0.0, 0.0)))
    anyone = run(setting(budget=60, depth_floor=40, clock=Clock(1e6, 0.0, 0.0, 0.0)))
    # One model, one ranking: each of the best comes before each of the others.
    assert sorted(a.row for a in best.asked[:40]) != sorted(a.row for a in anyone.asked[:40])
    again = run(setting(budget=30, depth_floor=10, take="best", clock=Clock(1e6, 0.0, 0.0, 0.0)))
    assert [a.row for a in again.asked] == [a.row for a in best.asked[:20]]


def test_without_first_labels_people_begin_at_random_or_with_what_is_typical() -> None:
    course = run(setting(initial=0, budget=60, depth_floor=10, workers=2))
    strategies = [asked.strategy for asked in course.asked]
    # Two labels a class make the first model; S follows it at once.
    assert set(strategies[:20]) == {"random"}
    assert set(strategies[30:]) == {"margin"}
    assert course.of("version")[0]["labels_seen"] == 20
    assert course.asked[0].version is None
    assert course.asked[0].staleness is None

    typical = run(setting(initial=0, budget=60, depth_floor=10, strategies=("typiclust",)))
    strategies = [asked.strategy for asked in typical.asked]
    assert set(strategies[:20]) == {"typiclust"}
    assert set(strategies[30:]) == {"margin"}


def test_copies_are_asked_last() -> None:
    def different(*, filtered: bool) -> int:
        course = run(
            setting(
                budget=60,
                filtered=filtered,
                strategies=("entropy",),
                depth_floor=40,
                clock=Clock(1e6, 0.0, 0.0, 0.0),
                data=Data("digits", SIDE, train=100, test=100, copies=5),
            )
        )
        distinct: int = course.finished["distinct"]
        return distinct

    # The copies of what is uncertain are uncertain as well: of 50 that were asked, 10 differ.
    assert different(filtered=True) > different(filtered=False) + 10


def test_random_selection_waits_for_no_model_and_no_pass() -> None:
    course = run(setting(budget=40, strategies=("random",), clock=Clock(3.0, 0.0, 50.0, 0.0)))
    assert course.finished["waits"]["count"] == 0
    assert course.finished["chosen_by"] == {"random": 30}
    assert course.finished["staleness"]["mean"] is None
    assert course.finished["newest_share"] is None


@pytest.mark.parametrize("mode", ["asynchronous", "synchronous"])
def test_what_is_asked_by_a_model_teaches_it(mode: str) -> None:
    course = run(
        setting(
            mode=mode,
            initial=20,
            budget=120,
            batch_size=20,
            evaluate_every=100,
            strategies=("entropy", "least_confidence", "margin"),
            workers=6,
            people=People(count=4),
            clock=Clock(5.0, 0.0, 0.5, 0.0),
        )
    )
    first, last = course.of("evaluated")
    assert last["accuracy"] > first["accuracy"]
    assert course.finished["labels"] == 120
    assert sum(course.finished["chosen_by"].values()) == 100


def test_the_ordinary_loop_deals_its_batch_among_several_strategies() -> None:
    course = run(
        setting(
            mode="synchronous",
            budget=34,
            batch_size=12,
            workers=3,
            strategies=("entropy", "margin", "random"),
        )
    )
    assert course.finished["chosen_by"] == {"entropy": 8, "margin": 8, "random": 8}
    # The model has learned all but what was answered of this batch.
    assert {asked.staleness for asked in course.asked} <= {None, *range(12)}


def test_terms_of_theorem_1_are_estimated_where_asked() -> None:
    of = setting(
        budget=70, evaluate_every=30, bound=True, workers=2, strategies=("margin", "random")
    )
    course = run(of)
    bounds = course.of("bound")
    assert [event["labels"] for event in bounds] == [40, 70]
    for event in bounds:
        assert 0 <= event["risk_queried"] <= 1
        assert 0 <= event["risk_all"] <= 1
        assert {"margin", "random", "mixture", "uniform"} <= set(event["w1"])
        assert event["w1"]["mixture"] > 0
