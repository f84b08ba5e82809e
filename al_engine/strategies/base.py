"""What a strategy is, and the steps that strategies share: checking, ranking, drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from torch import Tensor

# Rounding lifts a probability above 1 by less than this; logits exceed 1 by much more.
PROBABILITY_TOLERANCE: Final = 1e-2
# Scores per block in `_around_the_last`; each block is represented by its highest score.
_SCORES_A_BLOCK: Final = 64


@dataclass(frozen=True, slots=True)
class Selection:
    """What a strategy chose, best first.

    `indices`: int64 (B,), rows of the probabilities that were passed in. `scores`: float32 (B,),
    higher is more useful; scores of different strategies are not comparable.
    """

    indices: Tensor
    scores: Tensor


class Embeddings(Protocol):
    """Float (N, d): a tensor, or rows on disk that are read where they are indexed."""

    @property
    def shape(self) -> Sequence[int]: ...
    @property
    def device(self) -> torch.device: ...
    def __getitem__(self, rows: Any, /) -> Tensor: ...


class Strategy(Protocol):
    """Chooses `min(budget, N)` of N images from a model's class probabilities.

    `probabilities`: float (N, C), rows sum to 1, C >= 1, N may be 0. `generator` decides everything
    that is random, ties included. Some strategies need more (`strategies.needs`): `embeddings`,
    float (N, d), of the same images; `members`, float (M, N, C), the probabilities from each
    member of a committee or each pass of MC dropout; `labeled`, float (n, d), embeddings of L,
    None if nothing is labeled. Strategies ignore what they do not need. Raises ValueError for
    probabilities that are not finite numbers from 0 to 1, and for a needed argument that is
    missing or has the wrong shape.
    """

    def __call__(
        self,
        probabilities: Tensor,
        budget: int,
        *,
        generator: torch.Generator,
        embeddings: Tensor | None = None,
        members: Tensor | None = None,
        labeled: Tensor | None = None,
    ) -> Selection: ...


def checked(probabilities: Tensor) -> Tensor:
    """The probabilities as float32 (N, C); raises ValueError for a wrong shape or range."""
    if probabilities.ndim != 2 or probabilities.shape[1] < 1:
        raise ValueError(
            "Probabilities must have the shape (images, classes) with at least one class; "
            f"these have {tuple(probabilities.shape)}."
        )
    probabilities = probabilities.to(torch.float32)
    if probabilities.shape[0] == 0:
        return probabilities
    low, high = (float(bound) for bound in torch.aminmax(probabilities))  # NaN spreads to both
    if not (low >= -PROBABILITY_TOLERANCE and high <= 1 + PROBABILITY_TOLERANCE):
        raise ValueError(
            f"Probabilities must be finite numbers from 0 to 1; these span {low:g} to {high:g}. "
            "If they are logits, apply softmax first; if they are not numbers, the model's "
            "training diverged and it must not select."
        )
    return probabilities if low >= 0 and high <= 1 else probabilities.clamp(0, 1)


def checked_budget(budget: int) -> int:
    """The budget; raises ValueError if it is negative."""
    if budget < 0:
        raise ValueError(f"The budget is a number of images, 0 or more; it is {budget}.")
    return budget


def best(scores: Tensor, budget: int, *, generator: torch.Generator) -> Selection:
    """The `budget` highest of the scores (N,), best first, equal scores in random order.

    Raises ValueError for a negative budget and for scores that are not numbers.
    """
    count = min(checked_budget(budget), scores.shape[0])
    if count == 0:
        return Selection(torch.empty(0, dtype=torch.int64, device=scores.device), scores[:0])
    above, ties = _around_the_last(scores, count)
    # All scores equal to the lowest chosen one have the same chance. Equal scores come in random
    # order: a stable sort keeps the shuffled order of equals, for which topk promises none.
    chosen = torch.cat([above, shuffled(ties, generator)[: count - above.shape[0]]])
    chosen = shuffled(chosen, generator)
    chosen = chosen[torch.argsort(scores[chosen], descending=True, stable=True)]
    return Selection(indices=chosen, scores=scores[chosen])


def shuffled(items: Tensor, generator: torch.Generator) -> Tensor:
    """The items (n, ...) in random order."""
    order = torch.randperm(items.shape[0], generator=generator, device=generator.device)
    return items[order.to(items.device)]


def in_order(indices: Tensor) -> Selection:
    """A selection whose scores are the places in the order of choice, from 1 down to 1/B.

    For strategies that choose a batch as a whole and have no score of a single image.
    """
    count = indices.shape[0]
    places = torch.arange(count, 0, -1, device=indices.device, dtype=torch.float32)
    return Selection(indices=indices, scores=places / max(count, 1))


def gumbel(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Independent draws of the standard Gumbel distribution: float64 (count,).

    The `k` highest values of log w + Gumbel are a draw of k without replacement whose chances are
    proportional to the weights w [Gumbel-top-k: Kool et al., 2019].
    """
    # float64: in float32 the highest of a million draws would take few distinct values.
    uniform = torch.rand(count, generator=generator, device=generator.device, dtype=torch.float64)
    return -(-torch.log1p(-uniform)).clamp_min(2.0**-60).log().to(device)


def _around_the_last(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Rows of the scores above the `count`-th highest score, and rows that equal it.

    Raises ValueError for scores that are NaN.
    """
    rows = None
    blocks = scores.shape[0] // _SCORES_A_BLOCK
    if count < blocks:
        # At least `count` scores reach the `count`-th highest block maximum, so all lower scores
        # are out. Of one million scores some 6,000 remain for a count of 5,000.
        tops = scores[: blocks * _SCORES_A_BLOCK].reshape(blocks, _SCORES_A_BLOCK).amax(dim=1)
        floor = tops.topk(count, sorted=False).values.amin()
        rows = (~(scores < floor)).nonzero().squeeze(1)  # NaN stays in, to be found below
    kept = scores if rows is None else scores[rows]
    highest = kept.topk(count, sorted=False).values
    if bool(highest.isnan().any()):
        raise ValueError("Scores must be numbers, and some are NaN: there is no best among them.")
    last = highest.amin()
    above, ties = (kept > last).nonzero().squeeze(1), (kept == last).nonzero().squeeze(1)
    return (above, ties) if rows is None else (rows[above], rows[ties])
