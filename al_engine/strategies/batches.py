"""What happens to selections: those of shards are merged, near-duplicates are dropped."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from al_engine.strategies.base import Embeddings, Selection, checked_budget

COPY_COSINE: Final = 0.9999
"""Images whose embeddings have at least this cosine similarity are copies, asked about once."""
_ROWS_A_BLOCK: Final = 1 << 10


class Chosen(NamedTuple):
    """One image of a merged selection: a row of its shard's probabilities, and its score."""

    shard: int
    row: int
    score: float


def merge(selections: Sequence[Selection], budget: int) -> list[Chosen]:
    """The best `budget` images of all shards' selections, best first.

    Exact for separable strategies (`strategies.is_separable`): if each shard chose with at least
    this budget, the result is one that the strategy could have chosen from all shards at once,
    with the same chances for a random strategy. Equal scores are ordered by their places in their
    selections, then by shard. Raises ValueError for a negative budget.
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


def drop_near_duplicates(embeddings: Embeddings, order: Tensor, *, threshold: float) -> Tensor:
    """The rows of `order`, in the same order, without near-duplicates of rows kept before.

    `embeddings`: float (N, d). `order`: int64 (K,), row numbers on the same device, the most
    wanted first. A row is kept if its cosine similarity to all rows kept before is below the
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
    """Which rows of a block differ from all rows kept before them: bool (n,)."""
    table = differ.cpu().numpy()
    kept = torch.ones(len(table), dtype=torch.bool).numpy()
    for row, differences in enumerate(table):
        if kept[row]:
            kept[row + 1 :] &= differences[row + 1 :]
    return torch.from_numpy(kept).to(differ.device)
