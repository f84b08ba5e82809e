"""How strongly a head is penalized, by cross-validation on some of its labels.

Measured against the evidence by Laplace's approximation (docs/benchmarks/heads.md): the evidence
asks for penalties a hundred times too large, and costs accuracy and calibration.
"""

import math
from typing import Final

import torch
from torch import Tensor

from al_engine.training.coordinates import Coordinates
from al_engine.training.logistic import Problems, losses, solve

BIAS_PENALTY: Final = 1 / 9
"""Biases have a standard deviation of 3 nats beforehand, whatever the penalty of weights."""
FACTORS: Final = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""The candidates, as multiples of `usual_penalty`."""
FOLDS: Final = 3
MOST_ROWS: Final = 300
"""Labels that the cross-validation looks at."""
GROWTH: Final = 0.5
"""The best penalty grows with about this power of the number of labels: between 0.3 and 1 on three
sets of features.
"""
MOST_GROWN: Final = 5_000
"""From this many labels on the penalty stays, which matters little beside so many."""
MOST_CLASSES: Final = 30
CHOSEN_AGAIN_AT: Final = 1.2
"""`PenaltyMemory` chooses anew when there are this many times the labels of its last choice."""
_WIDTH_FOR_ONE: Final = 512
# Nats a label; candidates differ by hundredths.
_TOLERANCE: Final = 5e-3
_MAX_STEPS: Final = 40


def usual_penalty(width: int) -> float:
    """The penalty of squared weights of standardized features that suits without any measuring.

    It is in labels: it goes with the sum of the labels' losses, not with their mean.
    """
    return max(1.0, width / _WIDTH_FOR_ONE)


def penalties_of(penalty: float, columns: int) -> Tensor:
    """The penalties (columns,) of weights and, in the last column, of the bias."""
    each = torch.full((columns,), penalty)
    each[-1] = BIAS_PENALTY
    return each


def choose_penalty(rows: Tensor, targets: Tensor, weights: Tensor, *, classes: int) -> float:
    """The penalty with the least cross-validated loss, for rows float32 (n, d), targets (n,).

    The folds are stratified, and a label whose class is not in the other folds is not asked.
    A distance from the usual penalty of a factor of three counts as half a nat, so that a few
    labels decide nothing by chance. What is best for the labels of two folds is scaled to all.
    """
    usual, labels = usual_penalty(rows.shape[1]), len(rows)
    chosen = _some(targets, classes)
    rows, targets, weights = rows[chosen], targets[chosen], weights[chosen]
    present, targets = torch.unique(targets, return_inverse=True)
    fold, asked = _folds(targets, len(present))
    if len(present) < 2 or not bool(asked.any()):
        return usual
    points, spectrum = _principal(Coordinates.of(rows).points)
    kept = fold != torch.arange(FOLDS, device=fold.device)[:, None]
    kept = kept[kept.logical_not().any(dim=1)]
    factors = torch.tensor(FACTORS)
    each = torch.stack([penalties_of(usual * factor, points.shape[1]) for factor in FACTORS])
    problems = Problems(
        points,
        targets,
        (kept * weights).repeat(len(FACTORS), 1),
        each.repeat_interleave(len(kept), dim=0).to(points.device),
        spectrum,
        len(present),
    )
    found = solve(problems, tolerance=_TOLERANCE, max_steps=_MAX_STEPS)
    held = (~kept & asked).repeat(len(FACTORS), 1) * weights
    loss = (losses(problems, found.unknown) * held).sum(dim=1)
    total = loss.view(len(FACTORS), -1).sum(dim=1).cpu() + (factors.log() / math.log(3)) ** 2 / 2
    learned = len(rows) * (1 - 1 / FOLDS)
    growth = (min(labels, MOST_GROWN) / learned) ** GROWTH
    return usual * FACTORS[int(total.argmin())] * float(growth)


class PenaltyMemory:
    """Chooses the penalty for a head that is trained again and again as labels come.

    A cross-validation takes as long as the training of a warm head, and says the same after a few
    more labels. Between two of them the penalty grows as if the best one had been chosen.
    """

    def __init__(self) -> None:
        self._labels = self._classes = 0
        self._penalty = 0.0

    def choose(self, rows: Tensor, targets: Tensor, weights: Tensor, *, classes: int) -> float:
        """As `choose_penalty`, remembered for labels that are a few more or fewer."""
        growth = len(rows) / self._labels if self._labels else math.inf
        if classes != self._classes or not 1 / CHOSEN_AGAIN_AT < growth < CHOSEN_AGAIN_AT:
            self._penalty = choose_penalty(rows, targets, weights, classes=classes)
            self._labels, self._classes = len(rows), classes
            return self._penalty
        grown = min(len(rows), MOST_GROWN) / min(self._labels, MOST_GROWN)
        return self._penalty * float(grown**GROWTH)


def _principal(points: Tensor) -> tuple[Tensor, Tensor]:
    """Points (n, k) whose columns but the last, constant one are turned to their principal axes.

    Also the diagonal of their Gram matrix, float32 (k,): the rest of it is 0.
    """
    inner = points[:, :-1]
    spectrum, axes = torch.linalg.eigh(inner.T @ inner)
    turned = torch.cat([inner @ axes, points[:, -1:]], dim=1)
    return turned, torch.cat([spectrum.clamp_min(0), spectrum.new_tensor([len(points)])])


def _some(targets: Tensor, classes: int) -> Tensor:
    """At most `MOST_ROWS` rows, at most `MOST_CLASSES` classes: int64 (m,), the same every time."""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(targets), generator=generator).to(targets.device)
    present = torch.unique(targets)
    if len(present) > MOST_CLASSES:
        some = torch.randperm(len(present), generator=generator)[:MOST_CLASSES]
        order = order[torch.isin(targets[order], present[some.to(targets.device)])]
    return order[:MOST_ROWS]


def _folds(targets: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """The fold of each row, int64 (n,), and whether its class has another row, bool (n,)."""
    count = torch.bincount(targets, minlength=classes)
    order = targets.argsort(stable=True)
    # One class after the other round the folds, so that folds are equally large.
    fold = torch.empty_like(targets)
    fold[order] = torch.arange(len(targets), device=targets.device) % FOLDS
    return fold, count[targets] > 1
