"""The head of nearest class means: which class's mean embedding is nearest, by a metric of L.

The metric is the inverse of the covariance within classes, shrunken towards its mean variance
[Friedman 1989, 'Regularized discriminant analysis'; Ledoit & Wolf 2004]. With it the log odds of
two classes are linear in the embedding, so that the head is a linear one, found without iteration.
How much is shrunken, and how sure the head is, is decided by cross-validation.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from al_engine.training.coordinates import deviation_of
from al_engine.training.sureness import fit_sureness, loss_at

SHRINKAGES: Final = (0.35, 0.5, 0.65, 0.8, 0.95)
"""The candidates for the share of the mean variance in the metric."""
_USUAL_SHRINKAGE: Final = 0.65
FOLDS: Final = 5
MOST_ROWS: Final = 1_000
"""Labels that the cross-validation looks at."""
MOST_COVARIANCE_ROWS: Final = 10_000
PRIOR_LABELS: Final = 0.3
"""Each class's mean starts with this many labels at the mean of all, so that one label is not all
that is known of a class, and a class without any is as likely as chance has it."""


@dataclass(frozen=True, slots=True)
class MeansHead:
    """Weights (C, d), biases (C,), float32, and the cross-validated loss in nats a label."""

    weight: Tensor
    bias: Tensor
    shrinkage: float
    loss: float


@torch.no_grad()
def fit_means(features: Tensor, targets: Tensor, weights: Tensor, *, classes: int) -> MeansHead:
    """Fit to features float32 (n, d), targets int64 (n,), weights float32 (n,) > 0, n >= 1.

    All on one device, where the result is. Equal labels give equal heads: nothing is drawn.
    """
    mean = features.mean(dim=0)
    centered = features - mean
    scale = 1 / deviation_of(centered)
    points = centered * scale
    shrinkage, sureness, loss = _cross_validated(points, targets, weights, classes)
    weight, bias = _Metric(points, targets, weights, classes).head(shrinkage)
    weight, bias = weight * sureness, bias * sureness
    weight = weight * scale
    return MeansHead(weight, bias - weight @ mean, shrinkage, loss)


def _cross_validated(
    points: Tensor, targets: Tensor, weights: Tensor, classes: int
) -> tuple[float, float, float]:
    """The best shrinkage, how sure a head with it is to be, and the loss at these."""
    # Of a class with one label nothing can be left out.
    step = max(1, len(points) // max(MOST_ROWS, 3 * classes))
    # Sorted by class, so that folds are stratified and equally large.
    order = targets.argsort(stable=True)[::step]
    points, targets, weights = points[order], targets[order], weights[order]
    fold = torch.arange(len(points), device=points.device) % FOLDS
    asked, scores = [], []
    for number in range(FOLDS):
        kept, left = fold != number, fold == number
        # A class that is not in the other folds cannot be known.
        left &= torch.bincount(targets[kept], minlength=classes)[targets] > 0
        if not bool(left.any()):
            continue
        metric = _Metric(points[kept], targets[kept], weights[kept], classes)
        heads = [metric.head(share) for share in SHRINKAGES]
        scores.append(torch.stack([points[left] @ w.T + b for w, b in heads]))
        asked.append(left.nonzero().squeeze(1))
    if not asked:
        return _USUAL_SHRINKAGE, 1.0 / points.shape[1], float("nan")
    where, said = torch.cat(asked), torch.cat(scores, dim=1)
    truth, trust = targets[where], weights[where]
    best = (_USUAL_SHRINKAGE, 1.0, float("inf"))
    for share, each in zip(SHRINKAGES, said, strict=True):
        # One more label than there are, which is told at chance: a few labels that are all told
        # right do not make the head certain.
        sureness = fit_sureness(*_with_a_doubt(each, truth, trust))
        loss = loss_at(each, truth, trust, sureness)
        if loss < best[2]:
            best = (share, sureness, loss)
    return best


def _with_a_doubt(scores: Tensor, truth: Tensor, trust: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same, with an image beside whose least likely class is true, of a fraction of a label."""
    hardest = scores[scores.max(dim=1).values.argmax()][None]
    return (
        torch.cat([scores, hardest]),
        torch.cat([truth, hardest.argmin(dim=1)]),
        torch.cat([trust, trust.mean()[None] / 4]),
    )


class _Metric:
    """Class means and the covariance within classes, for heads of any shrinkage."""

    def __init__(self, points: Tensor, targets: Tensor, weights: Tensor, classes: int) -> None:
        count = points.new_zeros(classes).index_add_(0, targets, weights)
        total = points.new_zeros(classes, points.shape[1])
        total.index_add_(0, targets, points * weights[:, None])
        self._means = total / (count + PRIOR_LABELS)[:, None]
        self._log_prior = ((count + PRIOR_LABELS) / (count + PRIOR_LABELS).sum()).log()
        # Of very many labels some say enough of the covariance.
        some = slice(None, None, -(-len(points) // MOST_COVARIANCE_ROWS))
        share = (weights[some] / weights[some].sum()).sqrt()[:, None]
        # (n, d), whose product with itself is the covariance.
        self._rest = (points[some] - self._means[targets[some]]) * share
        self._variance = max(float(self._rest.square().sum()) / points.shape[1], 1e-6)
        wide = len(self._rest) < points.shape[1]
        self._gram = self._rest @ self._rest.T if wide else self._rest.T @ self._rest
        self._wide = wide

    def head(self, shrinkage: float) -> tuple[Tensor, Tensor]:
        """Weights (C, d) and biases (C,) of the log odds."""
        floor = shrinkage * self._variance
        matrix = (1 - shrinkage) * self._gram
        matrix.diagonal().add_(floor)
        lower = torch.linalg.cholesky(matrix)
        if self._wide:  # Woodbury: with fewer rows than features the smaller matrix is solved
            inner = torch.cholesky_solve(self._rest @ self._means.T, lower)
            weight = (self._means - (1 - shrinkage) * (inner.T @ self._rest)) / floor
        else:
            weight = torch.cholesky_solve(self._means.T, lower).T
        return weight, self._log_prior - (weight * self._means).sum(dim=1) / 2
