"""What a strategy is, and the two steps that every strategy shares: checking and ranking."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

# Rounding may lift a probability above 1 by a little; logits lift it by a lot.
PROBABILITY_SLACK = 1e-2


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

    `probabilities`: float (N, C), rows sum to 1, C >= 1, N may be 0. `embeddings`: float (N, d),
    for strategies that look at distances. `generator` decides everything that is random, ties
    included. Raises ValueError for probabilities that are not finite numbers from 0 to 1.
    """

    def __call__(
        self,
        probabilities: Tensor,
        budget: int,
        *,
        generator: torch.Generator,
        embeddings: Tensor | None = None,
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
    if not (low >= -PROBABILITY_SLACK and high <= 1 + PROBABILITY_SLACK):
        raise ValueError(
            f"Probabilities must be finite numbers from 0 to 1; these span {low:g} to {high:g}. "
            "If they are logits, apply softmax first; if they are not numbers, the model's "
            "training diverged and it must not select."
        )
    return probabilities.clamp(0, 1)


def best(scores: Tensor, budget: int, *, generator: torch.Generator) -> Selection:
    """The `budget` highest of the scores (N,), best first, equal scores in random order."""
    if budget < 0:
        raise ValueError(f"The budget is a number of images, 0 or more; it is {budget}.")
    # A stable sort of shuffled scores leaves equal ones shuffled; topk promises no order for them.
    shuffled = torch.randperm(scores.shape[0], generator=generator, device=generator.device).to(
        scores.device
    )
    order = torch.argsort(scores[shuffled], descending=True, stable=True)[:budget]
    indices = shuffled[order]
    return Selection(indices=indices, scores=scores[indices])
