"""How much each label counts in training."""

from typing import Literal

import torch
from torch import Tensor

ClassBalance = Literal["none", "sqrt"]


def label_weights(
    targets: Tensor, confidence: Tensor | None, *, classes: int, balance: ClassBalance
) -> Tensor:
    """Weights of labels, float32 (n,): the confidence times the weight of the class.

    `targets`: int64 (n,). `confidence`: (n,), of the consensus, 0 or more; None for equal ones.
    With `sqrt` the weight of a class is the inverse square root of its frequency (Mahajan et al.
    2018, section 2.2, there for sampling), half way between equal labels and equal classes. The
    weights are scaled to the sum of the confidences.
    """
    trust = torch.ones(targets.shape) if confidence is None else confidence.float().cpu()
    if balance == "none":
        return trust
    each = targets.cpu()
    frequency = torch.zeros(classes).index_add_(0, each, trust)
    weights = trust * frequency.clamp_min(torch.finfo(torch.float32).tiny).rsqrt()[each]
    return weights * (trust.sum() / weights.sum())
