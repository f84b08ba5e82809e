"""Strategies that look at probabilities alone.

The paper's (section 4.1) are random, entropy, least confidence and margin. Two more are made of
the margin: drawn at random with chances that follow it, and balanced over the classes. Each
scores every image, higher for more useful, and takes the best. Computation is in float32. With a
single class every image is equally certain, and all of them choose at random.
"""

from typing import Final

import torch
from torch import Tensor

from al_engine.strategies.base import Selection, best, checked, gumbel
from al_engine.strategies.registry import register

POWER: Final = 1.0
"""The exponent of `power_margin`: 0 chooses by chance alone, a large one like `margin`."""


@register(separable=True)
def random(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Chance alone: the score is uniform in [0, 1). Only N is taken from the probabilities."""
    count = checked(probabilities).shape[0]
    scores = torch.rand(count, generator=generator, device=generator.device)
    return best(scores.to(probabilities.device), budget, generator=generator)


@register(separable=True)
def entropy(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Largest entropy of the prediction, -sum p ln p, in nats [Holub et al., 2008]."""
    # entr(0) is 0, the limit of -p ln p, where p * log(p) would be NaN.
    scores = torch.special.entr(checked(probabilities)).sum(dim=1)
    return best(scores, budget, generator=generator)


@register(separable=True)
def least_confidence(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Lowest confidence in the likeliest class, 1 - max p [Li and Sethi, 2006]."""
    scores = 1 - checked(probabilities).amax(dim=1)
    return best(scores, budget, generator=generator)


@register(separable=True)
def margin(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Smallest margin between the two likeliest classes, -(p1 - p2) [Balcan et al., 2007].

    With a single class there is no second one, and its probability p2 counts as 0.
    """
    return best(-margins_of(checked(probabilities)), budget, generator=generator)


@register(separable=True)
def power_margin(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """A draw without replacement whose chances follow the margin: proportional to s^POWER.

    s = 1 - (p1 - p2), and the score is POWER ln s + g with independent standard Gumbel g, of
    which the highest are such a draw: the power acquisition of Kirsch et al., 'Stochastic batch
    acquisition' (2021, section 3), of the margin. Where the best images are many copies of one,
    or the model is wrong about what it does not know, a draw is less narrow than a top list.
    """
    usefulness = 1 - margins_of(checked(probabilities))
    # Images of no use at all come last, in random order, instead of at minus infinity.
    keys = POWER * usefulness.clamp_min(torch.finfo(torch.float32).tiny).log().to(torch.float64)
    keys += gumbel(keys.shape[0], generator, keys.device)
    return best(keys.to(torch.float32), budget, generator=generator)


@register
def balanced_margin(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """The margin's usefulness divided by how common the predicted class is among the candidates.

    With y = argmax p of an image, the score is (1 - (p1 - p2)) / (C q(y)), where q(c) is the mean
    of p(c) over all N images: the share of class c that the model expects among them. In a pool
    of equally common classes C q(c) is 1 and the order is that of `margin`. The weight is the
    inverse class frequency that balances losses [King and Zeng, 2001, section 4], with the
    model's expectation for the unknown labels.
    """
    probabilities = checked(probabilities)
    usefulness = 1 - margins_of(probabilities)
    if probabilities.shape[0] == 0:
        return best(usefulness, budget, generator=generator)
    # A class that is some image's likeliest has a share of at least 1 / (N C): never 0.
    share = probabilities.mean(dim=0)
    commonness = probabilities.shape[1] * share[probabilities.argmax(dim=1)]
    return best(usefulness / commonness, budget, generator=generator)


def margins_of(probabilities: Tensor) -> Tensor:
    """p1 - p2 of checked probabilities (N, C): float32 (N,), from 0 to 1."""
    leading = probabilities.topk(min(2, probabilities.shape[1]), dim=1).values
    return leading[:, 0] - leading[:, 1] if leading.shape[1] == 2 else leading[:, 0]
