"""The strategies of the paper (section 4.1): random, entropy, least confidence and margin.

Each scores every image by itself, higher for more useful, and takes the best. Computation is in
float32. With a single class every image is equally certain, and all of them choose at random.
"""

import torch
from torch import Tensor

from al_engine.strategies.base import Selection, best, checked
from al_engine.strategies.registry import register


@register
def random(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
) -> Selection:
    """Chance alone: the score is uniform in [0, 1). Only N is taken from the probabilities."""
    count = checked(probabilities).shape[0]
    scores = torch.rand(count, generator=generator, device=generator.device)
    return best(scores.to(probabilities.device), budget, generator=generator)


@register
def entropy(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
) -> Selection:
    """Largest entropy of the prediction, -sum p ln p, in nats [Holub et al., 2008]."""
    # entr(0) is 0, the limit of -p ln p, where p * log(p) would be NaN.
    scores = torch.special.entr(checked(probabilities)).sum(dim=1)
    return best(scores, budget, generator=generator)


@register
def least_confidence(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
) -> Selection:
    """Lowest confidence in the likeliest class, 1 - max p [Li and Sethi, 2006]."""
    scores = 1 - checked(probabilities).amax(dim=1)
    return best(scores, budget, generator=generator)


@register
def margin(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
) -> Selection:
    """Smallest margin between the two likeliest classes, -(p1 - p2) [Balcan et al., 2007].

    With a single class there is no second one, and its probability p2 counts as 0.
    """
    leading = checked(probabilities).topk(min(2, probabilities.shape[1]), dim=1).values
    second = leading[:, 1] if leading.shape[1] == 2 else torch.zeros_like(leading[:, 0])
    return best(second - leading[:, 0], budget, generator=generator)
