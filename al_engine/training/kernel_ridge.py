"""The kernel head: kernel ridge regression on the classes, exact for as many labels as landmarks.

Scores are smooth functions of the embedding that need not be linear. With more labels than
`LANDMARKS`, some of them, of all classes, stand for the rest (Nyström). The penalty and how sure
the head is are decided by leaving one label out, for which ridge regression has a closed form: each
residual over one less its leverage.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from al_engine.architectures.kernel import Kernel
from al_engine.training.coordinates import deviation_of
from al_engine.training.sureness import fit_sureness, loss_at

LANDMARKS: Final = 1_000
"""Labels that new images are compared with, at most: a pass over D takes as long as these say."""
RATE: Final = 0.25
"""The kernel's rate, in units of 1 over the median squared distance: rates from half to four times
of it differed by a point of accuracy at most, on three sets of embeddings.
"""
PENALTIES: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
"""The candidates for the penalty, in labels."""
MOST_ROWS: Final = 5_000
"""Of more labels, so many of all classes count: beyond, the landmarks are what limits the head."""
_LARGEST_LEVERAGE: Final = 1 - 1e-4


@dataclass(frozen=True, slots=True)
class KernelHead:
    """A kernel, weights (C, m) and biases (C,) on what it says, and the loss of labels left out."""

    kernel: Kernel
    weight: Tensor
    bias: Tensor
    penalty: float
    loss: float


@torch.no_grad()
def fit_kernel(features: Tensor, targets: Tensor, weights: Tensor, *, classes: int) -> KernelHead:
    """Fit to features float32 (n, d), targets int64 (n,), weights float32 (n,) > 0, n >= 1.

    All on one device, where the result is. Equal labels give equal heads: nothing is drawn.
    """
    order = targets.argsort(stable=True)
    order = order[:: -(-len(order) // MOST_ROWS)]
    features, targets, weights = features[order], targets[order], weights[order]
    mean = features.mean(dim=0)
    scale = 1 / deviation_of(features - mean)
    landmarks = (features[:: -(-len(features) // LANDMARKS)] - mean) * scale
    landmarks = landmarks.half()  # as they are stored, so that a head is fitted to what it will be
    typical = _median_distance(landmarks.float())
    # Far from all landmarks every class is equally likely, however often it was seen.
    excess = functional.one_hot(targets, classes) - 1 / classes
    kernel = Kernel(landmarks, mean, scale, features.new_tensor(RATE / typical))
    return _ridge(kernel, features, targets, weights, excess)


def _ridge(
    kernel: Kernel,
    features: Tensor,
    targets: Tensor,
    weights: Tensor,
    excess: Tensor,
) -> KernelHead:
    """The head with this kernel and the penalty whose labels left out have the least loss."""
    landmarks = kernel.get_buffer("landmarks")
    plain = landmarks.float() / kernel.get_buffer("scale") + kernel.get_buffer("mean")
    inner = kernel(plain).double()
    inner.diagonal().add_(1e-6)
    lower = torch.linalg.cholesky(inner)
    # (n, m) of orthonormal functions, in which ridge regression is a plain one.
    said = torch.linalg.solve_triangular(lower, kernel(features).double().T, upper=False).T
    trust = weights.double()[:, None]
    sizes, axes = torch.linalg.eigh(said.T @ (said * trust))
    turned = said @ axes
    forces = turned.T @ (excess.double() * trust)
    best = (0.0, 1.0, float("inf"))
    for penalty in PENALTIES:
        shrunken = 1 / (sizes.clamp_min(0) + penalty)
        fitted = turned @ (shrunken[:, None] * forces)
        leverage = (turned.square() @ shrunken) * weights
        left = (1 - leverage.clamp(0, _LARGEST_LEVERAGE))[:, None]
        # What the others say of each label.
        others = excess - (excess - fitted) / left
        sureness = fit_sureness(others, targets, weights)
        loss = loss_at(others, targets, weights, sureness)
        if loss < best[2]:
            best = (penalty, sureness, loss)
    penalty, sureness, loss = best
    inward = axes @ (forces / (sizes.clamp_min(0) + penalty)[:, None])
    weight = torch.linalg.solve_triangular(lower.T, inward, upper=True).T * sureness
    return KernelHead(kernel, weight.float(), excess.new_zeros(len(weight)), penalty, loss)


def _median_distance(points: Tensor) -> float:
    """The median squared distance of points (m, d); 1 if all are the same."""
    distances = torch.pdist(points).square()
    typical = float(distances.median()) if len(distances) else 0.0
    return typical if typical > 0 else 1.0
