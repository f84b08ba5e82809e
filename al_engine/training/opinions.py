"""Several opinions on the same images, for the strategies that look at disagreement."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from al_engine.architectures import Classifier
from al_engine.training.evaluate import predict

DROPPED = 0.5
"""Share of the embedding that an opinion does without (Gal et al. 2017 use a half before the
last layer)."""


def of_committee(models: Sequence[Classifier], images: Tensor, *, device: torch.device) -> Tensor:
    """What each of several models says: float32 (M, n, C) on the CPU.

    `images`: uint8 (n, 3, S, S). The models must have the same classes; raises ValueError for
    none of them.
    """
    if not models:
        raise ValueError("A committee needs at least one model.")
    return torch.stack([predict(model, images, device=device) for model in models])


@torch.inference_mode()
def by_dropout(
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
        kept = torch.rand(width, generator=generator) >= DROPPED
        scale = kept.float().to(embeddings.device) / (1 - DROPPED)
        opinions.append(functional.softmax(head(embeddings * scale).float(), dim=1).cpu())
    return torch.stack(opinions)
