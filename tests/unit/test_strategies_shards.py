"""Selections of several shards merge exactly, and near-duplicates among them are dropped."""

from itertools import pairwise

import pytest
import torch

from al_engine import strategies

torch.set_num_threads(1)

SEPARABLE = [name for name in strategies.names() if strategies.is_separable(name)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_separable_is_what_scores_an_image_by_itself() -> None:
    assert set(strategies.names()) - set(SEPARABLE) == {
        "badge",
        "balanced_margin",
        "cluster_margin",
        "core_set",
        "herding",
        "typiclust",
        "uherding",
    }


@pytest.mark.parametrize("name", sorted({*SEPARABLE} - {"random", "power_margin", "committee"}))
def test_merged_shards_are_the_selection_of_the_whole(name: str) -> None:
    probabilities = torch.randn(90, 4, generator=seeded(1)).softmax(dim=1)
    members = torch.randn(3, 90, 4, generator=seeded(2)).softmax(dim=2)
    whole = strategies.select(
        name, strategies.Evidence(probabilities, members=members), 20, generator=seeded()
    )
    edges = [0, 10, 10, 60, 90]
    selections = [
        strategies.select(
            name,
            strategies.Evidence(probabilities[low:high], members=members[:, low:high]),
            20,
            generator=seeded(low),
        )
        for low, high in pairwise(edges)
    ]
    merged = strategies.merge(selections, 20)
    assert [edges[each.shard] + each.row for each in merged] == whole.indices.tolist()
    assert [each.score for each in merged] == pytest.approx(whole.scores.tolist())


def test_a_merged_draw_is_the_draw_of_the_whole() -> None:
    # The keys of all images, and those that each shard hands on: nothing better is lost.
    probabilities = torch.randn(200, 3, generator=seeded(3)).softmax(dim=1)
    parts = [probabilities[:50], probabilities[50:]]
    every = [strategies.power_margin(p, 200, generator=seeded(n)) for n, p in enumerate(parts)]
    some = [strategies.power_margin(p, 30, generator=seeded(n)) for n, p in enumerate(parts)]
    assert strategies.merge(some, 30) == strategies.merge(every, 30)
    assert {each.shard for each in strategies.merge(some, 30)} == {0, 1}


def test_equal_scores_of_shards_take_turns() -> None:
    same = [
        strategies.Selection(torch.tensor(rows), torch.ones(len(rows)))
        for rows in ([7, 5, 3], [], [2, 4, 6])
    ]
    merged = strategies.merge(same, 4)
    assert [(each.shard, each.row) for each in merged] == [(0, 7), (2, 2), (0, 5), (2, 4)]
    assert strategies.merge([], 4) == []
    with pytest.raises(ValueError, match="budget"):
        strategies.merge(same, -1)


def test_near_duplicates_of_a_better_image_are_dropped() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [0.0, 2.0], [5.0, 0.1], [0.7, 0.7], [0.0, 0.0]])
    # Cosines to row 0: 0, 0.9998, 0.7071; row 3 to row 1: 0.7071; zeros are like nothing.
    keep = strategies.drop_near_duplicates(embeddings, torch.tensor([2, 3, 0, 4, 1]), threshold=0.9)
    assert keep.tolist() == [2, 3, 4, 1]
    keep = strategies.drop_near_duplicates(embeddings, torch.tensor([0, 3, 2, 1]), threshold=0.5)
    assert keep.tolist() == [0, 1]
    assert (
        strategies.drop_near_duplicates(
            embeddings, torch.tensor([], dtype=torch.int64), threshold=0.9
        ).tolist()
        == []
    )
    with pytest.raises(ValueError, match="threshold"):
        strategies.drop_near_duplicates(embeddings, torch.tensor([0]), threshold=1.5)


def test_blocks_of_images_know_what_was_kept_in_the_blocks_before() -> None:
    generator = seeded(4)
    embeddings = torch.randn(2600, 3, generator=generator)
    order = torch.randperm(2600, generator=generator)
    kept: list[int] = []
    directions = torch.nn.functional.normalize(embeddings, dim=1)
    for row in order.tolist():
        if not kept or float((directions[kept] @ directions[row]).max()) < 0.98:
            kept.append(row)
    found = strategies.drop_near_duplicates(embeddings, order, threshold=0.98)
    assert 50 < len(kept) < 1000
    assert found.tolist() == kept
