"""Two strategies made of the margin: one draws by it, one balances it over the classes."""

from collections import Counter

import pytest
import torch

from al_engine import strategies


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_power_margin_draws_in_proportion_to_what_is_missing_to_a_margin_of_one() -> None:
    # 1 - (p1 - p2) is 1, 0.5 and 0.5, so the first is drawn first with a chance of 1 / 2; and of
    # the others, after it, each with 1 / 2.
    probabilities = torch.tensor([[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]])
    generator = seeded()
    orders = Counter(
        tuple(strategies.power_margin(probabilities, 2, generator=generator).indices.tolist())
        for _ in range(2000)
    )
    # The second of a pair: after 1, which has a quarter, 0 has a chance of 1 / 1.5.
    expected = {(0, 1): 500, (0, 2): 500, (1, 0): 333, (2, 0): 333, (1, 2): 167, (2, 1): 167}
    for order, mean in expected.items():
        assert orders[order] == pytest.approx(mean, abs=90), order  # four deviations


def test_power_margin_asks_last_about_what_is_certain() -> None:
    probabilities = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.5, 0.5]])
    for seed in range(20):
        chosen = strategies.power_margin(probabilities, 4, generator=seeded(seed))
        assert set(chosen.indices[2:].tolist()) == {0, 2}
        assert bool(torch.isfinite(chosen.scores).all())


def test_power_margin_is_less_narrow_than_margin_on_a_pool_of_copies() -> None:
    # 100 copies of the best image and 900 images that are nearly as good: 100 of 100 are copies
    # in a list of the best; in a draw about 1 in 9.
    probabilities = torch.tensor([[0.5, 0.5]] * 100 + [[0.55, 0.45]] * 900)
    plain = strategies.margin(probabilities, 100, generator=seeded())
    drawn = strategies.power_margin(probabilities, 100, generator=seeded())
    assert int((plain.indices < 100).sum()) == 100
    assert int((drawn.indices < 100).sum()) < 25


def test_balanced_margin_divides_by_the_share_that_the_model_expects_of_a_class() -> None:
    # The mean probabilities are 0.675 and 0.325, so C q(c) is 1.35 and 0.65.
    #   1 - margin: 0.2, 0.4, 0.8, 0.8; likeliest classes 0, 0, 0, 1
    rows = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.4, 0.6]])
    chosen = strategies.balanced_margin(rows, 4, generator=seeded())
    assert chosen.indices.tolist() == [3, 2, 1, 0]
    assert chosen.scores.tolist() == pytest.approx([1.23077, 0.59259, 0.29630, 0.14815], abs=1e-5)


def test_balanced_margin_is_margin_where_classes_are_equally_common() -> None:
    half = torch.rand(50, 2, generator=seeded(1)).softmax(dim=1)
    rows = torch.cat([half, half.flip(1)])
    plain = strategies.margin(rows, 100, generator=seeded())
    balanced = strategies.balanced_margin(rows, 100, generator=seeded())
    assert balanced.scores.tolist() == pytest.approx((1 + plain.scores).tolist(), abs=1e-5)
