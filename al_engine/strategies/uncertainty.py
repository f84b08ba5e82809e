"""Strategies that use probabilities alone.

The paper's strategies (section 4.1) are random, entropy, least confidence and margin. Two more
derive from the margin: `power_margin` draws at random with chances that follow it, and
`balanced_margin` balances it over the classes. Each scores every image, higher for more useful, and
takes the highest scores. Computation is in float32. With a single class every image is equally
certain, and every strategy chooses at random.
"""

from typing import Final

import torch
from torch import Tensor

from al_engine.strategies.base import Selection, best, checked, gumbel
from al_engine.strategies.registry import register

POWER: Final = 1.0
"""The exponent of `power_margin`: 0 chooses at random, a large exponent chooses like `margin`."""
# On a CPU the two likeliest of a few classes are found class by class in a quarter of the time.
_FEW_CLASSES: Final = 64
_ROWS_A_BLOCK: Final = 1 << 15


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
    """Uniformly random scores in [0, 1). Of the probabilities only N is used."""
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
    """Lowest confidence in the likeliest class; the score is 1 - max p [Li and Sethi, 2006]."""
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
    """Smallest margin between the two likeliest classes; the score is -(p1 - p2).

    [Balcan et al., 2007]. With a single class p2 counts as 0.
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
    """A draw without replacement with chances proportional to s^POWER, s = 1 - (p1 - p2).

    The score is POWER ln s + g with independent standard Gumbel g; the highest scores are such a
    draw. This is the power acquisition of Kirsch et al., 'Stochastic batch acquisition' (2021,
    section 3), applied to the margin. Where the best images are many copies of one image, or the
    model misjudges its own uncertainty, a draw is less narrow than a top list.
    """
    usefulness = 1 - margins_of(checked(probabilities))
    # Images with s = 0 come last in random order; a key of minus infinity would not be ordered.
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
    """The margin's usefulness divided by the predicted class's share among the candidates.

    With y = argmax p of an image, the score is (1 - (p1 - p2)) / (C q(y)), where q(c) is the mean
    of p(c) over all N images: the share of class c that the model expects among them. In a pool
    of equally common classes C q(c) is 1 and the order is that of `margin`. The weight is the
    inverse class frequency that balances losses [King and Zeng, 2001, section 4], with the
    model's expectation in place of the unknown labels.
    """
    probabilities = checked(probabilities)
    usefulness = 1 - margins_of(probabilities)
    if probabilities.shape[0] == 0:
        return best(usefulness, budget, generator=generator)
    # The likeliest class of any image has a share of at least 1 / (N C), never 0.
    share = probabilities.mean(dim=0)
    commonness = probabilities.shape[1] * share[probabilities.argmax(dim=1)]
    return best(usefulness / commonness, budget, generator=generator)


def margins_of(probabilities: Tensor) -> Tensor:
    """p1 - p2 of checked probabilities (N, C): float32 (N,), from 0 to 1."""
    count, classes = probabilities.shape
    if classes > _FEW_CLASSES or probabilities.device.type != "cpu":
        leading = probabilities.topk(2, dim=1).values
        return leading[:, 0] - leading[:, 1]
    margins = probabilities.new_empty(count)
    for start in range(0, count, _ROWS_A_BLOCK):
        part = slice(start, start + _ROWS_A_BLOCK)
        first, *others = probabilities[part].T.contiguous()
        second = torch.zeros_like(first)
        for each in others:
            second = torch.maximum(second, torch.minimum(first, each))
            first = torch.maximum(first, each)
        margins[part] = first - second
    return margins
