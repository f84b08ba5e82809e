"""Herding chooses what covers most of the pool; with uncertainty, most of what is uncertain."""

import importlib
import math

import pytest
import torch
from torch import Tensor

from al_engine import strategies
from al_engine.strategies.herding import covered_of

herding = importlib.import_module("al_engine.strategies.herding")

torch.set_num_threads(1)

# Two groups of three directions, opposite each other, so that their mean is 0: the middle of each
# group is 10 degrees from its neighbors.
ANGLES = (0, 10, -10, 180, 190, 170)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def directions(*degrees: float) -> Tensor:
    return torch.tensor([[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in degrees])


def kernel(degrees: float) -> float:
    """The kernel of two directions so far apart: |x - x'|² is 2 - 2 cos."""
    return math.exp(2 * math.cos(math.radians(degrees)) - 2)


def unsure(count: int) -> Tensor:
    return torch.full((count, 2), 0.5)


def test_the_middle_of_each_group_is_chosen_first() -> None:
    own = 1 + 2 * kernel(10)
    first = (own + kernel(180) + 2 * kernel(170)) / 6
    second = (own - kernel(180) - 2 * kernel(170)) / 6
    for seed in range(4):
        chosen = strategies.herding(
            unsure(6), 3, generator=seeded(seed), embeddings=directions(*ANGLES)
        )
        assert set(chosen.indices[:2].tolist()) == {0, 3}
        # The third covers itself, and hardly more of its neighbors than the middle does.
        assert chosen.scores.tolist() == pytest.approx(
            [first, second, (1 - kernel(10)) / 6], abs=1e-5
        )


def test_what_a_label_covers_is_not_chosen_again() -> None:
    chosen = strategies.herding(
        unsure(6), 1, generator=seeded(), embeddings=directions(*ANGLES), labeled=directions(0)
    )
    assert chosen.indices.tolist() == [3]


def test_uncertain_images_are_covered_first_and_without_labels_all_alike() -> None:
    # The model is sure of the first group.
    probabilities = torch.tensor([[0.99, 0.01]] * 3 + [[0.5, 0.5]] * 3)
    far = directions(90, -90)
    for seed in range(4):
        chosen = strategies.uherding(
            probabilities, 1, generator=seeded(seed), embeddings=directions(*ANGLES), labeled=far
        )
        assert chosen.indices.tolist() == [3]
    first = {
        strategies.uherding(
            probabilities, 1, generator=seeded(seed), embeddings=directions(*ANGLES)
        ).indices.item()
        for seed in range(12)
    }
    assert first == {0, 3}


def test_labels_that_lie_close_leave_uncertainty_alone_to_decide() -> None:
    sure = torch.linspace(0.5, 1, 6)[torch.tensor([3, 0, 5, 1, 4, 2])]
    probabilities = torch.stack([sure, 1 - sure], dim=1)
    close = directions(90, 91)
    chosen = strategies.uherding(
        probabilities, 6, generator=seeded(), embeddings=directions(*ANGLES), labeled=close
    )
    assert torch.equal(chosen.indices, sure.argsort())


def test_of_a_large_pool_a_part_is_covered_and_any_budget_is_met(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert [covered_of(budget) for budget in (1, 1_500, 9_000)] == [2_048, 3_000, 4_096]
    monkeypatch.setattr(herding, "FEWEST_COVERED", 30)
    monkeypatch.setattr(herding, "MOST_COVERED", 40)
    chosen = strategies.herding(
        unsure(100), 100, generator=seeded(), embeddings=torch.randn(100, 2, generator=seeded(1))
    )
    assert sorted(chosen.indices.tolist()) == list(range(100))
    assert chosen.scores[40:].tolist() == [0.0] * 60
