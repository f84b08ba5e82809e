"""Learning rates by depth: what an early layer knows is common to all pictures.

[Howard & Ruder 2018, section 3.2, 'discriminative fine-tuning']
"""

from typing import Final

import torch
from torch import nn

from al_engine.architectures import Classifier
from al_engine.training.recipe import Recipe

FIRST_LAYER_SHARE: Final = 0.3
"""The first layer's learning rate, as a share of the head's; those between rise geometrically."""
_GROUPS: Final = 8


def layered_optimizer(model: Classifier, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW, whose learning rates, `full_lr` of each group, are the least in the first layer."""
    inner = list(model.backbone.parameters())
    groups: list[dict[str, object]] = []
    for number in range(_GROUPS):
        low, high = (len(inner) * place // _GROUPS for place in (number, number + 1))
        depth = (number + 1) / (_GROUPS + 1)
        groups += _by_decay(
            inner[low:high], recipe, recipe.learning_rate * FIRST_LAYER_SHARE ** (1 - depth)
        )
    groups += _by_decay(list(model.head.parameters()), recipe, recipe.learning_rate)
    fused = next(iter(inner)).device.type in {"cpu", "cuda"}
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=fused)


def _by_decay(
    parameters: list[nn.Parameter], recipe: Recipe, learning_rate: float
) -> list[dict[str, object]]:
    """Groups of one learning rate: biases and scales of batch norm do not decay."""
    decayed = [each for each in parameters if each.ndim > 1]
    free = [each for each in parameters if each.ndim <= 1]
    return [
        {"params": some, "weight_decay": decay, "full_lr": learning_rate}
        for some, decay in ((decayed, recipe.weight_decay), (free, 0.0))
        if some
    ]
