"""Several opinions on the same images, for the strategies that look at disagreement.

Opinions are compared class by class, so all of them are of the same classes in the same order.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from al_engine.architectures import Classifier
from al_engine.training.evaluate import predict

DROPPED_SHARE = 0.5
"""Share of the embedding that an opinion does without (Gal et al. 2017 use a half before the
last layer)."""


def ask_committee(models: Sequence[Classifier], images: Tensor, *, device: torch.device) -> Tensor:
    """What each of several models says: float32 (M, n, C) on the CPU.

    `images`: uint8 (n, 3, S, S). The models must have the same classes, see `align_classes`. Raises
    ValueError for none of them.
    """
    if not models:
        raise ValueError("A committee needs at least one model.")
    return torch.stack([predict(model, images, device=device) for model in models])


def align_classes(
    model: Classifier, *, has: Sequence[int], wanted: Sequence[int]
) -> Classifier | None:
    """The model with an output for each of the classes `wanted`, where it has those of `has`.

    Both are class ids, output by output. A class that it does not know has the probability 0; what
    it gives to classes that are not wanted is shared out among the others. It shares its weights
    with the model. None where it knows none of the classes.
    """
    if list(has) == list(wanted):
        return model
    place_of = {choice: place for place, choice in enumerate(has)}
    known = [place for place, choice in enumerate(wanted) if choice in place_of]
    if not known:
        return None
    rows = [place_of[wanted[place]] for place in known]
    with torch.device("meta"):  # no weights are drawn, which would move torch's global generator
        twin = Classifier(
            model.backbone,
            width=model.width,
            classes=len(wanted),
            smallest_side=model.smallest_side,
        )
    twin.frozen_backbone = model.frozen_backbone
    old = model.head
    weight = old.weight.new_zeros(len(wanted), model.width)
    bias = old.bias.new_full((len(wanted),), -math.inf)
    weight[known], bias[known] = old.weight.detach()[rows], old.bias.detach()[rows]
    twin.head.weight, twin.head.bias = nn.Parameter(weight), nn.Parameter(bias)
    return twin.eval()


@torch.inference_mode()
def ask_with_dropout(
    head: nn.Module, embeddings: Tensor, *, count: int, generator: torch.Generator
) -> Tensor:
    """Monte-Carlo dropout before the last layer (Gal and Ghahramani 2016): float32 (count, n, C).

    `embeddings`: float (n, d), what the head sees. Only the head runs again for each opinion,
    whatever the backbone is; all images of one opinion lose the same parts of the embedding, so
    that an opinion is one network.
    """
    width = embeddings.shape[1]
    opinions = []
    for _ in range(count):
        kept = torch.rand(width, generator=generator) >= DROPPED_SHARE
        scale = kept.float().to(embeddings.device) / (1 - DROPPED_SHARE)
        opinions.append(functional.softmax(head(embeddings * scale).float(), dim=1).cpu())
    return torch.stack(opinions)
