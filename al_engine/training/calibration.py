"""Temperature scaling, and the calibration error of probabilities.

After Guo, Pleiss, Sun & Weinberger 2017, 'On Calibration of Modern Neural Networks'.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

ECE_BINS: Final = 15
FEWEST_LABELS: Final = 100
"""Fewer labels say too little: a hundred determine the temperature to about 15 %."""
COLDEST: Final = 0.5
HOTTEST: Final = 5.0
# Halvings of the interval in which 1/T lies; 20 narrow it to a millionth of its width.
_HALVINGS: Final = 20


@dataclass(frozen=True, slots=True)
class Calibration:
    """A temperature, and the quality of probabilities at it.

    `temperature` is fitted on all labels. `ece` and `loss` (nats) come from two-fold cross-fitting:
    each half of the labels is judged at the temperature fitted on the other half, because a
    temperature looks too good on the labels that it was fitted on.
    """

    temperature: float
    ece: float
    loss: float


def calibrate(probabilities: Tensor, targets: Tensor) -> Calibration:
    """Fit a temperature to probabilities, float (n, C), and true classes, int64 (n,), n >= 1.

    With fewer than `FEWEST_LABELS` labels nothing is fitted, and the temperature is 1.
    """
    if probabilities.shape[0] < FEWEST_LABELS:
        return Calibration(
            1.0, expected_calibration_error(probabilities, targets), loss(probabilities, targets)
        )
    crossed = torch.empty_like(probabilities)
    for half in (0, 1):  # even and odd rows, because the order of labels may not be random
        here, there = slice(half, None, 2), slice(1 - half, None, 2)
        temperature = fit_temperature(probabilities[there], targets[there])
        crossed[here] = at_temperature(probabilities[here], temperature)
    return Calibration(
        fit_temperature(probabilities, targets),
        expected_calibration_error(crossed, targets),
        loss(crossed, targets),
    )


def fit_temperature(probabilities: Tensor, targets: Tensor) -> float:
    """The temperature between `COLDEST` and `HOTTEST` with the least mean loss.

    The loss is convex in b = 1/T (section 4.2: softmax of z / T). Its derivative is
    mean(sum_c p_c z_c - z_target), whose zero is found by bisection.
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
    """Probabilities (n, C), given at temperature 1, at another temperature."""
    return (_log(probabilities) / temperature).softmax(dim=1)


def loss(probabilities: Tensor, targets: Tensor) -> float:
    """The mean of -log p(target) in nats; a probability that is rounded to 0 counts as 87 nats."""
    return float(-_log(probabilities).gather(1, targets[:, None]).mean())


def expected_calibration_error(probabilities: Tensor, targets: Tensor) -> float:
    """ECE (equation 3): the mean of |accuracy - confidence| over 15 bins of equal width.

    Each bin (k/15, (k+1)/15] is weighted by its share of the images.
    """
    confidence, said = probabilities.max(dim=1)
    excess = confidence.double() - (said == targets).double()
    bins = (confidence * ECE_BINS).ceil().long().clamp(1, ECE_BINS) - 1
    total = torch.zeros(ECE_BINS, dtype=torch.float64, device=bins.device)
    return float(total.index_add_(0, bins, excess).abs().sum() / excess.shape[0])


def _log(probabilities: Tensor) -> Tensor:
    """Logarithms; probabilities rounded to 0 count as the smallest normal float32."""
    return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()
