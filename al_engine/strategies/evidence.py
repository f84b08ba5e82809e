"""What is known about the images to choose from, and the one call that runs a strategy on it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from al_engine.strategies.base import Embeddings, Selection
from al_engine.strategies.registry import get, needs


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a strategy may look at, for N images.

    `probabilities`: float (N, C). `embeddings`: float (N, d); strategies get them as a tensor.
    `members`: float (M, N, C). `labeled`: float (n, d), None if nothing is labeled.
    """

    probabilities: Tensor
    embeddings: Embeddings | None = None
    members: Tensor | None = None
    labeled: Tensor | None = None


def select(name: str, evidence: Evidence, budget: int, *, generator: torch.Generator) -> Selection:
    """What the strategy of this name chooses, given only the evidence that it needs.

    So another package's function need not have parameters that it does not use. Raises
    UnknownStrategy, and ValueError if needed evidence is missing or invalid.
    """
    strategy = get(name)
    handed: dict[str, Tensor | None] = {
        each: _whole(getattr(evidence, each)) for each in sorted(needs(name))
    }
    missing = [each for each, value in handed.items() if value is None and each != "labeled"]
    if missing:
        raise ValueError(f"The strategy {name!r} needs {' and '.join(missing)}: none were given.")
    return strategy(evidence.probabilities, budget, generator=generator, **handed)


def _whole(value: Embeddings | None) -> Tensor | None:
    return value if value is None or isinstance(value, Tensor) else value[:]
