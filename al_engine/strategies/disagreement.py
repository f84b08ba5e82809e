"""Strategies that look at several opinions of the same images: of a committee, or MC dropout's."""

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
    section 3]. It is high where each member is sure and they contradict each other, and 0 where
    all of them are equally unsure. With a single member it is 0 everywhere: chance decides.
    """
    opinions = _opinions(probabilities, members)
    mean = torch.zeros_like(probabilities, dtype=torch.float32)
    unsure = torch.zeros_like(mean[:, 0])
    for opinion in opinions:  # one member at a time, so that no copy of all of them is made
        each = checked(opinion)
        mean += each / opinions.shape[0]
        unsure += torch.special.entr(each).sum(dim=1) / opinions.shape[0]
    scores = torch.special.entr(mean).sum(dim=1) - unsure
    # The information is never negative, only its rounding is: all those below know nothing.
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

    [Vote entropy: Dagan and Engelson, 1995, section 4]. A vote counts the same from a member that
    exaggerates its certainty and from one that does not, which is why it suits servers of several
    architectures. (The other common measure, the mean KL divergence to the consensus, is equal to
    the score of `bald`.) Few members give few distinct scores; chance decides between equals.
    """
    opinions = _opinions(probabilities, members)
    votes = torch.zeros_like(probabilities, dtype=torch.float32)
    for opinion in opinions:
        favorites = checked(opinion).argmax(dim=1, keepdim=True)
        votes.scatter_add_(1, favorites, torch.ones_like(favorites, dtype=torch.float32))
    scores = torch.special.entr(votes / opinions.shape[0]).sum(dim=1)
    return best(scores, budget, generator=generator)


def _opinions(probabilities: Tensor, members: Tensor | None) -> Tensor:
    """The members' opinions (M, N, C), M >= 1, of the images that the probabilities are of."""
    shape = tuple(checked(probabilities).shape)
    if members is None:
        raise ValueError("This strategy compares the opinions of several members: none were given.")
    if members.ndim != 3 or members.shape[0] < 1 or tuple(members.shape[1:]) != shape:
        raise ValueError(
            "Members must have the shape (members, images, classes) with at least one member and "
            f"{shape[0]} images of {shape[1]} classes; these have {tuple(members.shape)}."
        )
    return members
