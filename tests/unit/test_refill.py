"""How deep S is kept, who keeps which part of it, and what a new selection changes."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from al_engine.decisions import refill


def test_depth_is_what_people_answer_during_a_refill_times_safety() -> None:
    # 8 answers a second, 6.3 s a refill, twice as much for safety: 100.8, rounded up.
    assert refill.target_depth(answers_per_second=8, refill_seconds=6.3, workers=2) == 101


def test_depth_stays_between_floor_and_ceiling() -> None:
    assert refill.target_depth(answers_per_second=0, refill_seconds=0, workers=1) == 100
    assert refill.target_depth(answers_per_second=900, refill_seconds=60, workers=1) == 108_000
    assert (
        refill.target_depth(answers_per_second=900, refill_seconds=60, workers=1, ceiling=5_000)
        == 5_000
    )
    assert (
        refill.target_depth(answers_per_second=1, refill_seconds=1, workers=1, floor=0, ceiling=1)
        == 1
    )


def test_every_worker_keeps_at_least_one_query() -> None:
    depth = refill.target_depth(
        answers_per_second=0, refill_seconds=1, workers=64, floor=10, ceiling=20
    )
    assert depth == 64


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_a_rate_or_time_that_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        refill.target_depth(answers_per_second=bad, refill_seconds=1, workers=1)
    with pytest.raises(ValueError, match="finite"):
        refill.target_depth(answers_per_second=1, refill_seconds=bad, workers=1)


def test_a_ceiling_below_the_floor_is_refused() -> None:
    with pytest.raises(ValueError, match="ceiling"):
        refill.target_depth(answers_per_second=1, refill_seconds=1, workers=1, floor=9, ceiling=8)


@given(depth=st.integers(0, 10_000), workers=st.integers(1, 50))
def test_shares_add_up_and_differ_by_one_at_most(depth: int, workers: int) -> None:
    shares = [refill.share(depth, workers=workers, index=i) for i in range(workers)]
    assert sum(shares) == depth
    assert max(shares) - min(shares) <= 1


def test_a_worker_beyond_the_last_has_no_share() -> None:
    with pytest.raises(ValueError, match="3 of 3"):
        refill.share(10, workers=3, index=3)


def test_a_fixed_batch_is_added_whole_once_half_of_it_is_answered() -> None:
    # 1000 over 10 workers: 100 each.
    ask = {"batch_size": 1000, "workers": 10, "index": 4}
    assert refill.fixed_batch(**ask, open_queries=0) == 100
    assert refill.fixed_batch(**ask, open_queries=50) == 100
    assert refill.fixed_batch(**ask, open_queries=51) == 0
    assert refill.fixed_batch(**ask, open_queries=1, low_water=0) == 0


def test_fixed_batches_of_all_workers_are_the_batch_size() -> None:
    parts = [
        refill.fixed_batch(batch_size=2500, workers=7, index=i, open_queries=0) for i in range(7)
    ]
    assert sum(parts) == 2500
    with pytest.raises(ValueError, match="1 or more"):
        refill.fixed_batch(batch_size=0, workers=1, index=0, open_queries=0)


def test_a_worker_fills_up_its_share_when_a_quarter_is_gone() -> None:
    def aim(open_queries: int, rate: float = 0.0, refill_seconds: float = 0.0) -> refill.Aim:
        return refill.aim(
            batch_size=0,
            workers=2,
            index=1,
            open_queries=open_queries,
            answers_per_second=rate,
            refill_seconds=refill_seconds,
            floor=41,
        )

    # 41 for two workers: 21 and 20.
    assert aim(16) == refill.Aim(depth=20, need=0)
    assert aim(15) == refill.Aim(depth=20, need=5)
    # 10 answers a second during a refill of 5 s, twice for safety.
    assert aim(0, rate=10, refill_seconds=5) == refill.Aim(depth=50, need=50)


def test_with_a_fixed_batch_the_pace_of_people_plays_no_part() -> None:
    def need(open_queries: int) -> int:
        return refill.aim(
            batch_size=100,
            workers=10,
            index=0,
            open_queries=open_queries,
            answers_per_second=1_000,
            refill_seconds=60,
        ).need

    assert (need(10), need(6), need(5), need(0)) == (0, 0, 10, 10)


def test_where_nothing_fresh_is_ranked_what_people_need_is_added_all_the_same() -> None:
    def urgent(open_queries: int, rate: float = 0.0) -> int:
        return refill.urgent(
            workers=4,
            index=0,
            open_queries=open_queries,
            answers_per_second=rate,
            refill_seconds=0.5,
            floor=100,
        )

    # Half of the depth, in four parts: 13, 13, 12, 12.
    assert (urgent(0), urgent(5), urgent(13), urgent(20)) == (13, 8, 0, 0)
    # What 400 people answer in half a second, a quarter of it.
    assert urgent(10, rate=400) == 50 - 10


def test_nobody_needs_a_deeper_s_than_they_can_hold() -> None:
    assert refill.ceiling_for(0, floor=100) == 100
    assert refill.ceiling_for(1_000, floor=100) == 20_000


@pytest.mark.parametrize(("before", "after"), [(100, 1_000), (1_000, 100), (0, 2_000), (2_000, 0)])
def test_the_depth_follows_a_change_of_pace_within_two_seconds(before: int, after: int) -> None:
    def depth(per_second: float) -> int:
        return refill.target_depth(
            answers_per_second=per_second, refill_seconds=0.6, workers=10, floor=100
        )

    rate = refill.AnswerRate(started=0.0)
    for tenth in range(1, 101):
        rate.observe(before // 10, at=tenth / 10)
    assert depth(rate.per_second(at=10)) == pytest.approx(depth(before), rel=0.02)
    for tenth in range(101, 121):
        rate.observe(after // 10, at=tenth / 10)
    assert depth(rate.per_second(at=12)) == pytest.approx(depth(after), rel=0.2)


def test_a_refresh_adds_the_new_best_first_and_withdraws_the_rest() -> None:
    change = refill.plan_refresh(open_ids=[5, 3, 8], selected_ids=[9, 3, 1, 9])
    assert change == refill.Refresh(add=(9, 1), withdraw=(5, 8))


@given(open_ids=st.lists(st.integers(0, 30)), selected_ids=st.lists(st.integers(0, 30)))
def test_after_a_refresh_s_is_the_selection(open_ids: list[int], selected_ids: list[int]) -> None:
    change = refill.plan_refresh(open_ids=open_ids, selected_ids=selected_ids)
    assert (set(open_ids) - set(change.withdraw)) | set(change.add) == set(selected_ids)
    assert not set(change.add) & set(open_ids)
    assert len(set(change.add)) == len(change.add)


def test_a_steady_rate_is_measured_from_the_start() -> None:
    rate = refill.AnswerRate(started=100.0)
    for second in range(1, 11):
        rate.observe(3, at=100.0 + second)
    assert rate.per_second(at=110.0) == pytest.approx(3.0)


def test_one_early_answer_is_no_high_rate() -> None:
    rate = refill.AnswerRate(started=0.0)
    rate.observe(1, at=0.01)
    assert rate.per_second(at=0.01) < 2.5


def test_the_rate_falls_when_nobody_answers_and_follows_a_change() -> None:
    rate = refill.AnswerRate(started=0.0, time_constant_s=60)
    for second in range(1, 601):
        rate.observe(10, at=float(second))
    assert rate.per_second(at=600) == pytest.approx(10, rel=0.01)
    assert rate.per_second(at=660) == pytest.approx(10 / math.e, rel=0.01)
    for second in range(601, 781):
        rate.observe(2, at=float(second))
    # After three time constants a twentieth of the old difference is left.
    assert rate.per_second(at=780) == pytest.approx(2 + 8 * math.exp(-3), rel=0.01)


def test_a_clock_that_stands_still_or_goes_back_loses_no_answers() -> None:
    rate = refill.AnswerRate(started=50.0, time_constant_s=60)
    rate.observe(30, at=50.0)
    rate.observe(30, at=40.0)
    # 60 answers, each weighing 1/60 a second, over the shortest window of a second.
    assert rate.per_second(at=30.0) == pytest.approx(1 / (1 - math.exp(-1 / 60)))
    assert rate.per_second(at=650.0) < 0.001


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 20)), max_size=30))
@example([(1, 5.960464477539063e-08)])
def test_the_rate_is_never_negative_nor_above_all_answers_in_the_shortest_window(
    samples: list[tuple[int, float]],
) -> None:
    rate, now = refill.AnswerRate(started=0.0), 0.0
    for count, gap in samples:
        now += gap
        rate.observe(count, at=now)
    answers = sum(count for count, _ in samples)
    heaviest = 1 / refill.TIME_CONSTANT_S
    shortest = 1 - math.exp(-refill.SHORTEST_WINDOW_S / refill.TIME_CONSTANT_S)
    assert 0 <= rate.per_second(at=now) <= answers * heaviest / shortest * (1 + 1e-9)


def test_impossible_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        refill.AnswerRate(started=0).observe(-1, at=1)
    with pytest.raises(ValueError, match="time constant"):
        refill.AnswerRate(started=0, time_constant_s=0)
