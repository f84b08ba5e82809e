"""Terms of Theorem 1: the distance against scipy and by hand, the bound of made-up queries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from al_lab.simulation.theorem import (
    MIN_QUERIES,
    SAMPLE_ROWS,
    assign_cheapest,
    estimate_bound,
    lipschitz_constant,
    w1,
)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 1_000), st.booleans())
def test_the_assignment_is_as_cheap_as_that_of_scipy(size: int, seed: int, whole: bool) -> None:
    costs = np.random.default_rng(seed).uniform(0, 10, (size, size))
    if whole:
        costs = costs.round()  # many that are equal
    rows = assign_cheapest(costs)
    assert sorted(rows) == list(range(size))
    best = costs[linear_sum_assignment(costs)].sum()
    assert costs[rows, np.arange(size)].sum() == pytest.approx(best)


def test_points_are_moved_the_shortest_way() -> None:
    # 0 to 1 and 10 to 8: a mean of 1.5, though 0 to 8 and 10 to 1 would assign them as well.
    one, other = torch.tensor([[0.0], [10.0]]), torch.tensor([[8.0], [1.0]])
    assert w1(one, other, generator=dice()) == pytest.approx(1.5)


def test_a_shift_is_as_far_as_it_shifts() -> None:
    one = torch.randn(100, 5, generator=dice(1))
    assert w1(one, one + torch.tensor([3.0, 4, 0, 0, 0]), generator=dice()) == pytest.approx(5)


def test_a_large_sample_is_thinned_out_to_the_smaller_one() -> None:
    one, other = torch.zeros(SAMPLE_ROWS + 50, 2), torch.ones(3, 2)
    assert w1(one, other, generator=dice()) == pytest.approx(2**0.5)


def test_samples_of_other_dimensions_have_no_distance() -> None:
    with pytest.raises(ValueError, match="same length"):
        w1(torch.zeros(3, 2), torch.zeros(3, 4), generator=dice())
    with pytest.raises(ValueError, match="at least one"):
        w1(torch.zeros(0, 2), torch.zeros(3, 2), generator=dice())


def test_probabilities_move_no_faster_than_the_head_lets_them() -> None:
    head = torch.nn.Linear(6, 4)
    torch.nn.init.normal_(head.weight, generator=dice(2))
    where = 3 * torch.randn(500, 6, generator=dice(3))
    step = 1e-3 * torch.nn.functional.normalize(torch.randn(500, 6, generator=dice(4)))
    with torch.no_grad():
        moved = head(where + step).softmax(1) - head(where).softmax(1)
    fastest = float(moved.abs().sum(1).max()) / 2 / 1e-3
    # Half of it for each of the two hypotheses of the theorem.
    assert 0 < fastest <= lipschitz_constant(head.weight) / 2


def test_two_classes_reach_the_limit() -> None:
    # |w_0 - w_1| = 4: p changes by at most 1/4 of it, where both are as likely; twice that is 2.
    assert lipschitz_constant(torch.tensor([[2.0], [-2.0]])) == pytest.approx(2.0)


def test_queries_far_from_the_data_are_told_from_a_random_choice() -> None:
    everything = torch.randn(600, 8, generator=dice(5))
    found = estimate_bound(
        embeddings_all=everything,
        embeddings_by_strategy={"random": everything[:60], "margin": everything[60:120] + 2},
        risk_queried=0.5,
        risk_all=0.4,
        risk_by_strategy={"random": 0.4, "margin": 0.6},
        generator=dice(6),
        lipschitz=0.5,
    )
    apart = found["w1"]
    assert found["sample"] == 120
    assert found["sample_each"] == 60
    assert apart["random"] == pytest.approx(apart["uniform_each"], rel=0.15)
    assert apart["margin"] > apart["uniform_each"] + 1
    assert apart["uniform"] < apart["mixture"] < apart["margin"]
    assert found["risk_queried"] == 0.5
    assert found["risk_all"] == 0.4
    assert found["risk_by_strategy"] == {"random": 0.4, "margin": 0.6}


def test_the_distance_is_in_the_units_of_the_risk() -> None:
    everything = torch.randn(200, 3, generator=dice(7))
    once, twice = (
        estimate_bound(
            embeddings_all=everything,
            embeddings_by_strategy={"margin": everything[:40] + 1},
            risk_queried=0.0,
            risk_all=0.0,
            generator=dice(8),
            lipschitz=factor,
        )
        for factor in (1.0, 2.0)
    )
    assert twice["w1"]["mixture"] == pytest.approx(2 * once["w1"]["mixture"])
    assert twice["w1"]["margin"] == pytest.approx(2 * once["w1"]["margin"])


def test_nothing_is_said_of_a_few_queries() -> None:
    everything = torch.randn(200, 3, generator=dice(9))
    few = estimate_bound(
        embeddings_all=everything,
        embeddings_by_strategy={"margin": everything[: MIN_QUERIES - 1]},
        risk_queried=0.1,
        risk_all=0.2,
        generator=dice(),
    )
    none = estimate_bound(
        embeddings_all=everything,
        embeddings_by_strategy={},
        risk_queried=0.1,
        risk_all=0.2,
        generator=dice(),
    )
    assert set(few["w1"].values()) == {None}
    assert none["w1"] == {"mixture": None, "uniform": None, "uniform_each": None}
