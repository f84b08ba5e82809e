"""What happens to selections after they are made: shards merge, near-duplicates are dropped."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from al_engine.strategies.base import Selection, checked_budget

COPY_COSINE: Final = 0.9999
"""Cosine similarity of embeddings from which on images count as copies and are asked about once."""
_ROWS_A_BLOCK: Final = 1 << 10


class Chosen(NamedTuple):
    """One image of a merged selection: a row of its shard's probabilities, and its score."""

    shard: int
    row: int
    score: float


def merge(selections: Sequence[Selection], budget: int) -> list[Chosen]:
    """The best `budget` of what was chosen of each shard, best first.

    Exact for separable strategies (`strategies.is_separable`): where each shard chose with at
    least this budget, these are images that the strategy could have chosen of all shards at once,
    for a random one with the same chances. Equal scores of two shards come by their places in
    their own shards, then in the order of shards. Raises ValueError for a negative budget.
    """
    ranked = [
        (-score, place, shard, row)
        for shard, selection in enumerate(selections)
        for place, (row, score) in enumerate(
            zip(selection.indices.tolist(), selection.scores.tolist(), strict=True)
        )
    ]
    ranked.sort()
    return [Chosen(shard, row, -score) for score, _, shard, row in ranked[: checked_budget(budget)]]


def drop_near_duplicates(embeddings: Tensor, order: Tensor, *, threshold: float) -> Tensor:
    """Those of `order` that are not nearly the same as one kept before, in the same order.

    `embeddings`: float (N, d). `order`: int64 (K,), rows of them on the same device, the most
    wanted first. Kept is a row whose cosine similarity to all rows kept before is below the
    threshold; an embedding of zeros has no direction and is similar to none. Time grows with K²,
    memory with K d. Raises ValueError for a threshold above 1, which would drop nothing, or of -1
    and below.
    """
    if not -1 < threshold <= 1:
        raise ValueError(
            f"The threshold is a cosine similarity above -1 and at most 1; it is {threshold}."
        )
    directions = torch.empty(order.shape[0], embeddings.shape[1], device=embeddings.device)
    kept: list[Tensor] = []
    count = 0
    for start in range(0, order.shape[0], _ROWS_A_BLOCK):
        rows = order[start : start + _ROWS_A_BLOCK]
        block = normalize(embeddings[rows].to(torch.float32), dim=1)
        new = torch.ones(len(rows), dtype=torch.bool, device=block.device)
        for begin in range(0, count, _ROWS_A_BLOCK):
            known = directions[begin : min(begin + _ROWS_A_BLOCK, count)]
            new &= (block @ known.T < threshold).all(dim=1)
        rows, block = rows[new], block[new]
        new = _mark_first_of_each(block @ block.T < threshold)
        rows, block = rows[new], block[new]
        directions[count : count + len(rows)] = block
        count += len(rows)
        kept.append(rows)
    return torch.cat(kept) if kept else order


def _mark_first_of_each(differ: Tensor) -> Tensor:
    """Of a block in order, those that differ from all kept before them: bool (n,)."""
    table = differ.cpu().numpy()
    kept = torch.ones(len(table), dtype=torch.bool).numpy()
    for row, differences in enumerate(table):
        if kept[row]:
            kept[row + 1 :] &= differences[row + 1 :]
    return torch.from_numpy(kept).to(differ.device)
