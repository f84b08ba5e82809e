"""Several opinions on the same images, for the strategies that measure disagreement.

Opinions are compared class by class, so all have the same classes in the same order.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from al_engine.architectures import Classifier
from al_engine.strategies.base import Embeddings
from al_engine.training.evaluate import predict
from al_engine.training.half_rows import logits_of_rows
from al_engine.training.posterior import sample_heads

DROPPED_SHARE = 0.5
"""Share of the embedding that dropout removes (Gal et al. 2017 use a half before the last layer).
"""

_ROWS_A_BLOCK_GPU = 16_384


def ask_committee(models: Sequence[Classifier], images: Tensor, *, device: torch.device) -> Tensor:
    """The probabilities by each of M models: float32 (M, n, C) on the CPU.

    `images`: uint8 (n, 3, S, S). The models must have the same classes, see `align_classes`. Raises
    ValueError for no models.
    """
    if not models:
        raise ValueError("A committee needs at least one model.")
    return torch.stack([predict(model, images, device=device) for model in models])


def align_classes(
    model: Classifier, *, has: Sequence[int], wanted: Sequence[int]
) -> Classifier | None:
    """The model with its outputs, the classes `has`, rearranged to the classes `wanted`.

    Both are class ids, output by output. A wanted class that the model does not know gets the
    probability 0; the probability of an unwanted class goes to the others in proportion. The
    backbone is shared with the model. None if the model knows no wanted class.
    """
    if list(has) == list(wanted):
        return model
    place_of = {choice: place for place, choice in enumerate(has)}
    known = [place for place, choice in enumerate(wanted) if choice in place_of]
    if not known:
        return None
    rows = [place_of[wanted[place]] for place in known]
    with torch.device("meta"):  # draws no weights, so torch's global generator is not advanced
        twin = Classifier(
            model.backbone,
            width=model.width,
            classes=len(wanted),
            smallest_side=model.smallest_side,
        )
    twin.frozen_backbone = model.frozen_backbone
    old = model.head
    weight = old.weight.new_zeros(len(wanted), old.in_features)
    bias = old.bias.new_full((len(wanted),), -math.inf)
    weight[known], bias[known] = old.weight.detach()[rows], old.bias.detach()[rows]
    twin.kernel = model.kernel
    twin.head.weight, twin.head.bias = nn.Parameter(weight), nn.Parameter(bias)
    return twin.eval()


@torch.inference_mode()
def ask_with_dropout(
    head: nn.Module, embeddings: Tensor, *, count: int, generator: torch.Generator
) -> Tensor:
    """Monte-Carlo dropout before the last layer (Gal and Ghahramani 2016): float32 (count, n, C).

    `embeddings`: float (n, d), the input of the head. Only the head runs for each opinion. All
    images of an opinion lose the same components of their embeddings, so that an opinion is that
    of one network.
    """
    width = embeddings.shape[1]
    opinions = []
    for _ in range(count):
        kept = torch.rand(width, generator=generator) >= DROPPED_SHARE
        scale = kept.float().to(embeddings.device) / (1 - DROPPED_SHARE)
        opinions.append(functional.softmax(head(embeddings * scale).float(), dim=1).cpu())
    return torch.stack(opinions)


@torch.inference_mode()
def ask_posterior(
    head: nn.Linear,
    embeddings: Embeddings,
    labeled: Tensor,
    *,
    count: int,
    generator: torch.Generator,
) -> Tensor:
    """Opinions of samples of a head that was fitted to embeddings: float32 (count, n, C).

    `embeddings`: float (n, d), of the images that are asked about; they are read block by block.
    `labeled`: float (m, d), of those that the head has learned from. Both as the head takes them:
    of a model with a kernel what that says of them.
    """
    heads, biases = sample_heads(head.weight, head.bias, labeled, draws=count, generator=generator)
    rows, classes = embeddings.shape[0], len(head.bias)
    if head.weight.device.type == "cpu":
        # All heads in one pass, which reads the embeddings once.
        logits = logits_of_rows(embeddings, heads.flatten(0, 1), biases.flatten())
        said = logits.T.view(count, classes, rows).softmax(dim=1)
        return said.transpose(1, 2).contiguous()
    opinions = torch.empty(count, rows, classes)
    for start in range(0, rows, _ROWS_A_BLOCK_GPU):
        part = slice(start, min(start + _ROWS_A_BLOCK_GPU, rows))
        some = embeddings[part].to(head.weight.device).float()
        logits = torch.einsum("nd,mcd->mnc", some, heads) + biases[:, None]
        opinions[:, part] = logits.softmax(dim=2).cpu()
    return opinions
