"""Means, intervals, tests and curves: against hand-computed examples and scipy."""

from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from al_lab.report import markdown
from al_lab.report.statistics import (
    Crossing,
    Interval,
    crossings,
    curve_mean,
    holm,
    interval,
    labels_to_reach,
    mean_curve,
    paired_interval,
    paired_p,
    rank_correlation,
    t_outside,
    t_quantile,
)


def test_the_mean_of_a_curve_weighs_a_long_stretch_more_than_a_short_one() -> None:
    # 10 labels at a mean of 0.3, 30 labels at a mean of 0.5: (10 * 0.3 + 30 * 0.5) / 40.
    assert curve_mean([10, 20, 50], [0.2, 0.4, 0.6]) == pytest.approx(0.45)


def test_a_curve_of_one_point_has_no_mean() -> None:
    with pytest.raises(ValueError, match="two points"):
        curve_mean([10], [0.2])


def test_the_interval_is_that_of_students_t_on_the_differences() -> None:
    # Differences 1, 2, 3, 4, 5: mean 3, s = sqrt(2.5), 2.776 * s / sqrt(5) = 1.963.
    found = paired_interval([11, 12, 13, 14, 15], [10, 10, 10, 10, 10])
    assert found.mean == pytest.approx(3)
    assert found.half_width == pytest.approx(1.963, abs=5e-4)
    assert found.side == 1


def test_what_all_pairs_have_in_common_does_not_widen_the_interval() -> None:
    found = paired_interval([0.5, 0.7, 0.9], [0.4, 0.6, 0.8])
    assert found.mean == pytest.approx(0.1)
    assert found.half_width == pytest.approx(0, abs=1e-12)


def test_one_pair_says_nothing_about_chance() -> None:
    found = paired_interval([0.5], [0.4])
    assert found.mean == pytest.approx(0.1)
    assert found.half_width == inf
    assert found.side == 0


def test_an_interval_that_holds_0_is_on_no_side() -> None:
    assert [Interval(mean, 1.0).side for mean in (-1.5, -1.0, 0.5, 1.5)] == [-1, 0, 0, 1]


@pytest.mark.parametrize(
    ("level", "labels"), [(0.1, 10.0), (0.2, 10.0), (0.3, 15.0), (0.5, 25.0), (0.7, None)]
)
def test_labels_to_reach_a_level_are_read_from_the_line_between_two_points(
    level: float, labels: float | None
) -> None:
    reached = labels_to_reach([10, 20, 30], [0.2, 0.4, 0.6], level)
    assert reached == (None if labels is None else pytest.approx(labels))


def test_a_curve_that_falls_again_has_reached_the_level() -> None:
    assert labels_to_reach([10, 20, 30], [0.2, 0.6, 0.3], 0.5) == pytest.approx(17.5)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 30, 101])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0, 2.5, 12.0])
def test_the_tails_of_students_t_are_those_of_scipy(freedom: int, t: float) -> None:
    assert t_outside(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=1e-12)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 29])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.975, 0.9995])
def test_quantiles_of_students_t_are_those_of_scipy(freedom: int, share: float) -> None:
    assert t_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-9)


@pytest.mark.parametrize(("share", "freedom"), [(0.4, 3), (1.0, 3), (0.9, 0)])
def test_a_quantile_that_does_not_exist_is_refused(share: float, freedom: int) -> None:
    with pytest.raises(ValueError, match=r"share from 0\.5"):
        t_quantile(share, freedom)


def test_the_interval_of_three_values_is_wide() -> None:
    # Mean 2, s = 1, 4.303 / sqrt(3) = 2.484.
    found = interval([1, 2, 3])
    assert found.mean == 2
    assert found.half_width == pytest.approx(2.484, abs=5e-4)


def test_what_is_not_known_of_a_run_is_not_known_of_all() -> None:
    for values in ([nan], [nan, nan, nan], [1.0, nan]):
        found = interval(values)
        assert isnan(found.mean)
        assert isnan(found.half_width)
        assert found.side == 0
        assert markdown.percent(found) == markdown.spread_seconds(found) == "–"


def test_there_is_no_mean_of_no_values() -> None:
    with pytest.raises(ValueError, match="no values"):
        interval([])


def test_pairs_need_as_many_on_both_sides() -> None:
    with pytest.raises(ValueError, match="as many"):
        paired_interval([1.0, 2.0], [1.0])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8))
def test_the_p_of_a_paired_test_is_that_of_scipy(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = zip(*pairs, strict=True)
    differences = [our - their for our, their in pairs]
    if max(differences) - min(differences) < 1e-6:
        return  # scipy warns that nothing differs
    assert paired_p(ours, theirs) == pytest.approx(stats.ttest_rel(ours, theirs).pvalue, abs=1e-6)


def test_an_interval_and_its_test_say_the_same() -> None:
    ours, theirs = [0.52, 0.55, 0.51], [0.50, 0.52, 0.50]
    assert paired_interval(ours, theirs).side == 0
    assert paired_p(ours, theirs) > 0.05
    assert paired_interval(ours, [0.50, 0.53, 0.49]).side == 1
    assert paired_p(ours, [0.50, 0.53, 0.49]) < 0.05


def test_differences_without_spread_are_certain_or_none() -> None:
    assert paired_p([2.0, 3.0], [1.0, 2.0]) == 0
    assert paired_p([2.0, 3.0], [2.0, 3.0]) == 1
    assert paired_p([2.0], [1.0]) == 1


def test_holm_multiplies_the_smallest_by_all_and_the_largest_by_one() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_curves_are_averaged_point_by_point() -> None:
    assert mean_curve([[0.2, 0.4], [0.4, 0.8]]) == pytest.approx([0.3, 0.6])


def test_a_curve_crosses_between_two_points() -> None:
    # The difference goes from -0.1 to +0.3: zero after a quarter of the way.
    (found,) = crossings([100, 200, 300], [0.5, 0.5, 0.9], [0.5, 0.6, 0.6])
    assert found.labels == pytest.approx(225)
    assert found.upward


def test_a_curve_that_crosses_twice_is_told_twice() -> None:
    found = crossings([0, 10, 20], [0, 2, 0], [1, 1, 1])
    assert found == [Crossing(5.0, upward=True), Crossing(15.0, upward=False)]


def test_touching_is_not_crossing_and_equal_stretches_are_crossed_at_their_end() -> None:
    assert crossings([0, 10, 20], [0, 1, 0], [1, 1, 1]) == []
    assert crossings([0, 10, 20, 30], [0, 1, 1, 2], [1, 1, 1, 1]) == [Crossing(20.0, upward=True)]
    assert crossings([0, 10], [1, 1], [1, 1]) == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=12))
def test_the_rank_correlation_is_that_of_scipy(pairs: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    found = rank_correlation(one, other)
    if len(set(one)) < 2 or len(set(other)) < 2:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(one, other).statistic, abs=1e-9)
