"""Probabilities that mean what they say: temperature scaling, and how far off they are.

After Guo, Pleiss, Sun & Weinberger 2017, 'On Calibration of Modern Neural Networks'.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

ECE_BINS: Final = 15
FEWEST_LABELS: Final = 100
"""Below this a few lucky answers decide: a hundred leave the temperature known to about 15 %."""
COLDEST: Final = 0.5
HOTTEST: Final = 5.0
# Halvings of the interval in which 1/T lies: to a millionth of it.
_HALVINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature, and how good probabilities are at it.

    `temperature` is fitted on all labels. `ece` and `loss` (nats) are of probabilities at a
    temperature that was fitted on the other half of the labels (two-fold cross-fitting): measured
    on the labels it was fitted on, a temperature would be flattered.
    """

    temperature: float
    ece: float
    loss: float


def calibrate(probabilities: Tensor, targets: Tensor) -> Calibration:
    """Fits a temperature to what a model said, float (n, C), and the truth, int64 (n,), n >= 1.

    With fewer than `FEWEST_LABELS` labels nothing is fitted, and the temperature is 1.
    """
    if probabilities.shape[0] < FEWEST_LABELS:
        return Calibration(
            1.0, expected_calibration_error(probabilities, targets), loss(probabilities, targets)
        )
    crossed = torch.empty_like(probabilities)
    for half in (0, 1):  # every other label, since labels come in some order of their images
        here, there = slice(half, None, 2), slice(1 - half, None, 2)
        temperature = fit_temperature(probabilities[there], targets[there])
        crossed[here] = at_temperature(probabilities[here], temperature)
    return Calibration(
        fit_temperature(probabilities, targets),
        expected_calibration_error(crossed, targets),
        loss(crossed, targets),
    )


def fit_temperature(probabilities: Tensor, targets: Tensor) -> float:
    """The temperature, within `COLDEST` and `HOTTEST`, at which the mean loss is least.

    The loss is convex in b = 1/T (section 4.2: softmax of z / T), with the derivative
    mean(sum_c p_c z_c - z_target); so its zero is found by halving.
    """
    scores = _log(probabilities)
    given = scores.gather(1, targets[:, None]).squeeze(1)
    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected = ((scores * middle).softmax(dim=1) * scores).sum(dim=1)
        if float((expected - given).double().mean()) > 0:
            high = middle
        else:
            low = middle
    return 2 / (low + high)


def at_temperature(probabilities: Tensor, temperature: float) -> Tensor:
    """Probabilities (n, C) at temperature 1, as they are at another."""
    return (_log(probabilities) / temperature).softmax(dim=1)


def loss(probabilities: Tensor, targets: Tensor) -> float:
    """The mean of -log p(truth), in nats; of a probability that is rounded to 0, 87."""
    return float(-_log(probabilities).gather(1, targets[:, None]).mean())


def expected_calibration_error(probabilities: Tensor, targets: Tensor) -> float:
    """ECE (equation 3): the mean distance of confidence from accuracy, of 15 bins of equal width.

    A bin (k/15, (k+1)/15] counts by its share of the images.
    """
    confidence, said = probabilities.max(dim=1)
    excess = confidence.double() - (said == targets).double()
    bins = (confidence * ECE_BINS).ceil().long().clamp(1, ECE_BINS) - 1
    total = torch.zeros(ECE_BINS, dtype=torch.float64, device=bins.device)
    return float(total.index_add_(0, bins, excess).abs().sum() / excess.shape[0])


def _log(probabilities: Tensor) -> Tensor:
    """Logarithms; the smallest normal float32 stands for what was rounded to 0."""
    return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()
