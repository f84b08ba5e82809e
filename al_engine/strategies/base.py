"""What a strategy is, and the steps that strategies share: checking, ranking, drawing."""

from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor

# Rounding may lift a probability above 1 by a little; logits lift it by a lot.
PROBABILITY_TOLERANCE: Final = 1e-2
# So many scores are represented by their highest one while the best of them are looked for.
_SCORES_A_BLOCK: Final = 64


@dataclass(frozen=True, slots=True)
class Selection:
    """What a strategy chose, best first.

    `indices`: int64 (B,), rows of the probabilities that were passed in. `scores`: float32 (B,),
    higher is more useful; scores of different strategies are not comparable.
    """

    indices: Tensor
    scores: Tensor


class Strategy(Protocol):
    """Chooses `min(budget, N)` of N images from a model's class probabilities.

    `probabilities`: float (N, C), rows sum to 1, C >= 1, N may be 0. `generator` decides everything
    that is random, ties included. What some strategies need besides (`strategies.needs`):
    `embeddings`, float (N, d), of the same images; `members`, float (M, N, C), what the members of
    a committee or the passes of MC dropout say; `labeled`, float (n, d), embeddings of L, where
    None means that nothing is labeled. Strategies ignore what they do not need. Raises ValueError
    for probabilities that are not finite numbers from 0 to 1, and where something needed is
    missing or has a shape that does not fit.
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
    """The probabilities as float32 (N, C); raises ValueError when they cannot be probabilities."""
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
    """The budget; raises ValueError where it is negative."""
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
    # Whoever ties with the last one has the same chance, and equal ones come in random order:
    # a stable sort leaves those shuffled that are equal, where topk promises no order for them.
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

    For strategies that choose a batch as a whole, where no number of an image says why it came
    before another.
    """
    count = indices.shape[0]
    places = torch.arange(count, 0, -1, device=indices.device, dtype=torch.float32)
    return Selection(indices=indices, scores=places / max(count, 1))


def gumbel(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Independent draws of the standard Gumbel distribution: float64 (count,).

    The `k` highest of log w + Gumbel are a draw of k without replacement whose chances are
    proportional to the weights w [Gumbel-top-k: Kool et al., 2019].
    """
    # float64, since the highest of a million draws would be few distinct numbers in float32.
    uniform = torch.rand(count, generator=generator, device=generator.device, dtype=torch.float64)
    return -(-torch.log1p(-uniform)).clamp_min(2.0**-60).log().to(device)


def _around_the_last(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Where the scores lie above the `count`-th highest, and where they equal it."""
    rows = None
    blocks = scores.shape[0] // _SCORES_A_BLOCK
    if count < blocks:
        # At least `count` scores reach the `count`-th highest of the blocks' maxima, so those
        # below it are out; for one million and 5,000 some 6,000 are left.
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
