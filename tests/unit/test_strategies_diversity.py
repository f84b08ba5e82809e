"""Strategies over embeddings spread their choice, exactly as the sequential algorithms would."""

import math
from collections import Counter
from itertools import permutations

import pytest
import torch
from torch import Tensor

from al_engine import strategies
from al_engine.strategies import embeddings as limits
from al_engine.strategies.geometry import Points, farthest_first, spread_at_random

torch.set_num_threads(1)

DRAWS = 500


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unsure(count: int) -> Tensor:
    return torch.full((count, 2), 0.5)


def on_a_line(*places: float) -> Tensor:
    return torch.tensor(places, dtype=torch.float32)[:, None]


def clustered(count: int, width: int, seed: int) -> Tensor:
    generator = seeded(seed)
    centers = 20 * torch.randn(12, width, generator=generator)
    which = torch.randint(12, (count,), generator=generator)
    return centers[which] + torch.randn(count, width, generator=generator)


def test_core_set_goes_each_time_to_the_farthest_from_all_labeled_and_chosen() -> None:
    # Labeled at 0. Farthest is 12; then 3, at 3 from 0; 10 at 2 from 12; 1 at 1; 0 at 0.
    chosen = strategies.core_set(
        unsure(5),
        5,
        generator=seeded(),
        embeddings=on_a_line(0, 1, 3, 10, 12),
        labeled=on_a_line(0),
    )
    assert chosen.indices.tolist() == [4, 2, 3, 1, 0]
    assert chosen.scores.tolist() == pytest.approx([12, 3, 2, 1, 0], abs=1e-4)


def test_core_set_begins_anywhere_when_nothing_is_labeled() -> None:
    places = on_a_line(0, 1, 10)
    first, last = Counter[int](), Counter[int]()
    for seed in range(60):
        chosen = strategies.core_set(unsure(3), 2, generator=seeded(seed), embeddings=places)
        rows = chosen.indices.tolist()
        first[rows[0]] += 1
        last[rows[1]] += 1
        assert chosen.scores.tolist() == pytest.approx(
            [float(abs(places[rows[0]] - places[rows[1]]))] * 2
        )
    assert set(first) == {0, 1, 2}
    assert 1 not in last  # never the farthest


def test_choosing_in_rounds_is_the_greedy_algorithm_to_the_letter() -> None:
    points = clustered(3000, 8, seed=1)
    rows, squares = farthest_first(Points.of(points), torch.full((3000,), math.inf), 150)
    assert len(set(rows.tolist())) == 150
    nearest = torch.full((3000,), math.inf, dtype=torch.float64)
    for row, square in zip(rows.tolist(), squares.tolist(), strict=True):
        assert float(nearest.max()) == pytest.approx(square, rel=1e-3)
        assert float(nearest[row]) == pytest.approx(square, rel=1e-3)
        gaps = (points.double() - points[row].double()).square().sum(dim=1)
        nearest = torch.minimum(nearest, gaps)


def test_core_set_leaves_copies_for_last() -> None:
    images = 10 * torch.randn(30, 6, generator=seeded(3))
    copies = images.repeat(10, 1)
    chosen = strategies.core_set(unsure(300), 30, generator=seeded(), embeddings=copies)
    assert len({row % 30 for row in chosen.indices.tolist()}) == 30


def gradients(probabilities: Tensor, embeddings: Tensor) -> Tensor:
    """The gradient embeddings in full, which the strategy never makes."""
    errors = probabilities - torch.eye(probabilities.shape[1])[probabilities.argmax(dim=1)]
    return (errors[:, :, None] * embeddings[:, None, :]).flatten(1)


def test_distances_in_factors_are_those_of_the_full_gradients() -> None:
    probabilities = torch.randn(40, 5, generator=seeded(1)).softmax(dim=1)
    embeddings = torch.randn(40, 7, generator=seeded(2))
    full = gradients(probabilities, embeddings)
    errors = probabilities - torch.eye(5)[probabilities.argmax(dim=1)]
    factored = Points.of(errors, embeddings)
    distances = factored.squared_distances(factored.take(slice(0, 9)))
    assert torch.allclose(factored.squares, full.square().sum(dim=1), rtol=1e-4)
    assert torch.allclose(distances, torch.cdist(full, full[:9]).square(), atol=1e-3)


def test_badge_begins_with_the_longest_gradient() -> None:
    # |p - onehot| is 0.707, 0.141 and 0.566; times |h|: 0.707, 1.414 and 1.697.
    probabilities = torch.tensor([[0.5, 0.5], [0.9, 0.1], [0.4, 0.6]])
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 10.0], [3.0, 0.0]])
    for seed in range(5):
        chosen = strategies.badge(probabilities, 1, generator=seeded(seed), embeddings=embeddings)
        assert chosen.indices.tolist() == [2]
        assert chosen.scores.tolist() == [1.0]


def test_points_are_drawn_in_proportion_to_their_distance_to_all_chosen() -> None:
    # From 0: squared distances 1, 4, 9 and 100 of 114; then those to the nearer of two.
    places = on_a_line(0, 1, 2, 3, 10)
    line = Points.of(places)
    generator = seeded()
    orders = Counter(
        tuple(spread_at_random(line, 0, 3, generator=generator).tolist()) for _ in range(DRAWS)
    )
    values = places[:, 0].tolist()
    for second, third in permutations(range(1, 5), 2):
        squares = [value**2 for value in values]
        chance = squares[second] / sum(squares)
        nearer = [min(value**2, (value - values[second]) ** 2) for value in values]
        chance *= nearer[third] / sum(nearer)
        deviation = math.sqrt(DRAWS * chance * (1 - chance))
        assert abs(orders[0, second, third] - DRAWS * chance) < 4.5 * deviation + 1


def test_badge_never_asks_twice_about_copies_while_something_else_is_left() -> None:
    generator = seeded(4)
    probabilities = torch.randn(25, 4, generator=generator).softmax(dim=1).repeat(10, 1)
    embeddings = torch.randn(25, 6, generator=generator).repeat(10, 1)
    chosen = strategies.badge(probabilities, 25, generator=generator, embeddings=embeddings)
    assert len({row % 25 for row in chosen.indices.tolist()}) == 25
    more = strategies.badge(probabilities, 60, generator=generator, embeddings=embeddings)
    assert len({row % 25 for row in more.indices[:25].tolist()}) == 25


def test_of_a_large_pool_badge_looks_at_the_images_with_long_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "FEWEST_CANDIDATES", 20)
    # 960 images of which the model is certain, and 40 of which it is not.
    probabilities = torch.tensor([[1.0, 0.0]] * 960 + [[0.6, 0.4]] * 40)
    embeddings = torch.randn(1000, 5, generator=seeded(5))
    chosen = strategies.badge(probabilities, 3, generator=seeded(), embeddings=embeddings)
    assert min(chosen.indices.tolist()) >= 960


@pytest.mark.parametrize("name", ["core_set", "typiclust"])
def test_of_a_large_pool_a_random_part_is_looked_at(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FEWEST_CANDIDATES", 50)
    embeddings = torch.randn(400, 3, generator=seeded(6))
    seen = set[int]()
    for seed in range(6):
        chosen = strategies.get(name)(unsure(400), 4, generator=seeded(seed), embeddings=embeddings)
        assert len(set(chosen.indices.tolist())) == 4
        seen |= set(chosen.indices.tolist())
    assert len(seen) > 12


@pytest.mark.parametrize("name", ["badge", "core_set", "cluster_margin", "typiclust"])
def test_embeddings_that_make_no_sense_are_refused(name: str) -> None:
    strategy = strategies.get(name)
    with pytest.raises(ValueError, match="none were given"):
        strategy(unsure(5), 2, generator=seeded())
    with pytest.raises(ValueError, match="5 images"):
        strategy(unsure(5), 2, generator=seeded(), embeddings=torch.zeros(4, 3))
    with pytest.raises(ValueError, match="finite"):
        strategy(unsure(5), 2, generator=seeded(), embeddings=torch.full((5, 3), math.nan))
    if "labeled" in strategies.needs(name):
        with pytest.raises(ValueError, match="another model"):
            strategy(
                unsure(5),
                2,
                generator=seeded(),
                embeddings=torch.zeros(5, 3),
                labeled=torch.zeros(2, 4),
            )
