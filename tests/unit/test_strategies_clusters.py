"""Strategies that group images take turns among the groups."""

import pytest
import torch
from torch import Tensor

from al_engine import strategies
from al_engine.strategies.clusters import k_means

torch.set_num_threads(1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def on_a_line(*places: float) -> Tensor:
    return torch.tensor(places, dtype=torch.float32)[:, None]


def unsure(count: int) -> Tensor:
    return torch.full((count, 2), 0.5)


def test_k_means_finds_groups_that_lie_apart() -> None:
    centers = 50 * torch.randn(6, 4, generator=seeded(1))
    which = torch.randint(6, (300,), generator=seeded(2))
    points = centers[which] + torch.randn(300, 4, generator=seeded(3))
    found = k_means(points, 6, generator=seeded())
    pairs = {(a, b) for a, b in zip(which.tolist(), found.tolist(), strict=True)}
    assert len(pairs) == 6


def test_k_means_takes_fewer_points_than_clusters_and_points_that_are_all_the_same() -> None:
    assert k_means(torch.zeros(0, 3), 5, generator=seeded()).tolist() == []
    assert len(set(k_means(on_a_line(1, 2, 3), 9, generator=seeded()).tolist())) == 3
    assert len(set(k_means(torch.ones(9, 3), 4, generator=seeded()).tolist())) == 1


def test_cluster_margin_takes_turns_from_the_smallest_cluster() -> None:
    # Three images in one place and seven in another.
    places = on_a_line(*[0.0] * 3, *[9.0] * 7)
    for seed in range(5):
        chosen = strategies.cluster_margin(unsure(10), 8, generator=seeded(seed), embeddings=places)
        groups = ["small" if row < 3 else "large" for row in chosen.indices.tolist()]
        assert groups == ["small", "large"] * 3 + ["large"] * 2
        assert chosen.scores.tolist() == pytest.approx([n / 8 for n in range(8, 0, -1)])


def test_cluster_margin_looks_at_the_ten_smallest_margins_per_choice() -> None:
    # Twenty unsure images in two places; ten sure ones in a place of their own, never looked at.
    probabilities = torch.tensor([[0.55, 0.45]] * 20 + [[0.9, 0.1]] * 10)
    places = on_a_line(*[0.0] * 8, *[5.0] * 12, *[50.0] * 10)
    for seed in range(5):
        rows = strategies.cluster_margin(
            probabilities, 2, generator=seeded(seed), embeddings=places
        ).indices.tolist()
        assert rows[0] < 8
        assert 8 <= rows[1] < 20


# Typicality with K = half of the eight or nine images of a cluster, 4:
#   at 2: neighbors 1, 3, 0, 4 at a mean distance of 1.5; at 1 and 3: (1 + 1 + 2 + 3) / 4 = 1.75
LARGE = (0.0, 1.0, 2.0, 3.0, 4.0, 30.0, 40.0, 50.0, 60.0)
SMALL = (1000.0, 1002.0, 1004.0, 1006.0, 1008.0, 1100.0, 1150.0, 1200.0)


def test_typiclust_asks_for_the_most_typical_of_each_cluster_the_largest_first() -> None:
    chosen = strategies.typiclust(
        unsure(17), 2, generator=seeded(), embeddings=on_a_line(*LARGE, *SMALL)
    )
    assert chosen.indices.tolist() == [2, 11]
    assert chosen.scores.tolist() == [1.0, 0.5]


def test_typiclust_asks_first_where_nothing_is_labeled() -> None:
    chosen = strategies.typiclust(
        unsure(17),
        1,
        generator=seeded(),
        embeddings=on_a_line(*LARGE, *SMALL),
        labeled=on_a_line(5.0),
    )
    assert chosen.indices.tolist() == [11]


def test_typiclust_leaves_tiny_clusters_for_last() -> None:
    places = on_a_line(*LARGE, -900.0, -901.0)
    few = strategies.typiclust(unsure(11), 2, generator=seeded(), embeddings=places)
    assert few.indices.tolist()[0] == 2
    assert max(few.indices.tolist()) < 9
    everything = strategies.typiclust(unsure(11), 11, generator=seeded(), embeddings=places)
    assert set(everything.indices.tolist()) == set(range(11))


def test_typiclust_needs_no_model() -> None:
    # What a worker knows before the first training: that every class is as likely as any other.
    embeddings = torch.randn(200, 5, generator=seeded(7))
    first = strategies.typiclust(unsure(200), 9, generator=seeded(), embeddings=embeddings)
    second = strategies.typiclust(torch.ones(200, 1), 9, generator=seeded(), embeddings=embeddings)
    assert torch.equal(first.indices, second.indices)
