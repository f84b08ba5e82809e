"""How sure scores are to be: the factor that makes probabilities of them by softmax."""

from typing import Final

import torch
from torch import Tensor

_LEAST_LOG: Final = -12.0
_MOST_LOG: Final = 12.0
# Halvings of the interval in which the logarithm of the factor lies.
_HALVINGS: Final = 16
_MOST_NUMBERS: Final = 500_000
"""Of more scores, every so many rows are looked at: with 1,000 classes those of 500 labels."""


def fit_sureness(scores: Tensor, targets: Tensor, weights: Tensor) -> float:
    """The factor b > 0 with the least mean loss of softmax(b scores), weighted by `weights` (n,).

    `scores`: float (n, C), of images that the scores were not fitted to; `targets`: int64 (n,). The
    loss is convex in b, and the zero of its derivative is found by bisection.
    """
    rows = slice(None, None, -(-scores.numel() // _MOST_NUMBERS))
    scores, targets, weights = scores[rows].float(), targets[rows], weights[rows]
    given = scores.gather(1, targets[:, None]).squeeze(1)
    low, high = _LEAST_LOG, _MOST_LOG
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = ((scores * 2.0**middle).softmax(dim=1) * scores).sum(dim=1)
        if float(((expected - given) * weights).double().sum()) > 0:
            high = middle
        else:
            low = middle
    return float(2.0 ** ((low + high) / 2))


def loss_at(scores: Tensor, targets: Tensor, weights: Tensor, sureness: float) -> float:
    """The weighted mean loss, in nats, of softmax(sureness scores)."""
    logs = torch.log_softmax(scores * sureness, dim=1).gather(1, targets[:, None]).squeeze(1)
    return float(-(logs * weights).sum() / weights.sum())
