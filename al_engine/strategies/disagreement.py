"""Strategies that compare several opinions on the same images, from a committee or MC dropout."""

import torch
from torch import Tensor

from al_engine.strategies.base import Selection, best, checked
from al_engine.strategies.registry import register


@register(needs=("members",), separable=True)
def bald(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Largest mutual information of the label and the model, H(mean p_m) - mean H(p_m), in nats.

    [Houlsby et al., 2011, equation 2; with the passes of MC dropout as members: Gal et al., 2017,
    section 3]. The score is high where each member is sure and the members contradict each other,
    and 0 where all members agree. With a single member it is 0 everywhere and the choice is random.
    """
    opinions = _opinions(probabilities, members)
    mean = torch.zeros_like(probabilities, dtype=torch.float32)
    unsure = torch.zeros_like(mean[:, 0])
    for opinion in opinions:  # one member at a time, to copy (N, C) and never (M, N, C)
        each = checked(opinion)
        mean += each / opinions.shape[0]
        unsure += torch.special.entr(each).sum(dim=1) / opinions.shape[0]
    scores = torch.special.entr(mean).sum(dim=1) - unsure
    # Mutual information is never negative; values below 0 are rounding.
    return best(scores.clamp_min(0), budget, generator=generator)


@register(needs=("members",), separable=True)
def committee(
    probabilities: Tensor,
    budget: int,
    *,
    generator: torch.Generator,
    embeddings: Tensor | None = None,
    members: Tensor | None = None,
    labeled: Tensor | None = None,
) -> Selection:
    """Largest entropy of the members' votes, -sum v ln v with v(c) the share of votes for c, nats.

    [Vote entropy: Dagan and Engelson, 1995, section 4]. An overconfident member's vote counts no
    more than another's, so the measure suits servers of several architectures. (The other common
    measure, the mean KL divergence to the consensus, equals the score of `bald`.) Few members give
    few distinct scores; equal scores come in random order.
    """
    opinions = _opinions(probabilities, members)
    votes = torch.zeros_like(probabilities, dtype=torch.float32)
    for opinion in opinions:
        favorites = checked(opinion).argmax(dim=1, keepdim=True)
        votes.scatter_add_(1, favorites, torch.ones_like(favorites, dtype=torch.float32))
    scores = torch.special.entr(votes / opinions.shape[0]).sum(dim=1)
    return best(scores, budget, generator=generator)


def _opinions(probabilities: Tensor, members: Tensor | None) -> Tensor:
    """`members`, (M, N, C) with M >= 1; raises ValueError if missing or of another shape."""
    shape = tuple(checked(probabilities).shape)
    if members is None:
        raise ValueError("This strategy compares the opinions of several members: none were given.")
    if members.ndim != 3 or members.shape[0] < 1 or tuple(members.shape[1:]) != shape:
        raise ValueError(
            "Members must have the shape (members, images, classes) with at least one member and "
            f"{shape[0]} images of {shape[1]} classes; these have {tuple(members.shape)}."
        )
    return members
