"""A Bayesian view of a head: samples of it by Laplace's approximation, with the full Hessian.

The posterior of logistic regression is about the normal distribution around the head whose
precision is the Hessian of the penalized loss [MacKay 1992, 'The evidence framework applied to
classification networks'; last layer alone: Kristiadi et al. 2020]. The Hessian of C classes and d
features has (C d)^2 entries and is never formed: a sample is the solution of H w = e with e of
covariance H, and conjugate gradients find it by products with the rows, for all samples at once
[Papandreou & Yuille 2010, 'Gaussian sampling by local perturbations'].

The penalty that fits a head best says too little about its spread: with it, samples were hardly
better than chance, because labels that are told apart leave the loss flat around the head. So
samples have a penalty of their own (docs/benchmarks/heads.md).
"""

from typing import Final

import torch
from torch import Tensor

from al_engine.training.coordinates import Coordinates

MOST_ROWS: Final = 2_000
"""Of more labels, this many stand for all, each for several."""
PENALTY_A_FEATURE: Final = 4.0
"""Without labels the logit of an image has a variance of 1 over this, whatever the width."""
_TOLERANCE: Final = 0.02
"""The rest of a system relative to its right side, at which its solution is good enough."""
_MAX_STEPS: Final = 60


@torch.no_grad()
def sample_heads(
    weight: Tensor,
    bias: Tensor,
    features: Tensor,
    *,
    draws: int,
    generator: torch.Generator,
    penalty: float | None = None,
    weights: Tensor | None = None,
    tolerance: float = _TOLERANCE,
) -> tuple[Tensor, Tensor]:
    """Heads (draws, C, d) and biases (draws, C) around a head (C, d) and (C,) fitted to features.

    `features`: float (n, d), n >= 0, of the labels that the head was fitted to; their classes are
    not needed. `weights`: float (n,), how much each counts. `penalty`: of standardized features and
    of biases, in labels; None for `PENALTY_A_FEATURE` times the width. Equal generators give equal
    samples. A class whose bias is minus infinity keeps it. The result is on the device of `weight`.
    """
    device, (classes, width) = weight.device, weight.shape
    rows, trust = _some(features.to(device).float(), weights, generator)
    if len(rows) == 0:  # the spread of a head without labels, around the origin of its features
        rows, trust = weight.new_zeros(1, width), weight.new_zeros(1)
    coordinates = Coordinates.of(rows)
    points, columns = coordinates.points, coordinates.points.shape[1]
    strength = PENALTY_A_FEATURE * width if penalty is None else penalty
    said = torch.nn.functional.linear(rows, weight, bias).softmax(dim=1).T  # (C, n)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    # Of covariance diag(p) - pp' for each row, of the penalty's for each weight.
    roots = said.sqrt() * noise(draws, classes, len(rows))
    forces = (roots - said * roots.sum(dim=1, keepdim=True)) * trust.sqrt()
    pulls = strength**0.5 * noise(draws, classes, columns)
    inner = _solved(points, said, trust, strength, forces @ points + pulls, tolerance)
    spread, biases = coordinates.plain(inner)
    if coordinates.basis is not None:
        # Outside of the span of the labels there is only the penalty.
        free = noise(draws, classes, width) / strength**0.5
        free -= (free @ coordinates.basis) @ coordinates.basis.T
        free /= coordinates.deviation
        spread, biases = spread + free, biases - free @ coordinates.mean
    return weight + spread, bias + biases


def _some(
    rows: Tensor, weights: Tensor | None, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """At most `MOST_ROWS` rows by chance, and weights (n,) with the sum of all."""
    trust = rows.new_ones(len(rows)) if weights is None else weights.to(rows.device).float()
    if len(rows) <= MOST_ROWS:
        return rows, trust
    chosen = torch.randperm(len(rows), generator=generator)[:MOST_ROWS].to(rows.device)
    return rows[chosen], trust[chosen] * (trust.sum() / trust[chosen].sum())


def _solved(
    points: Tensor,
    said: Tensor,
    trust: Tensor,
    penalty: float,
    right: Tensor,
    tolerance: float,
) -> Tensor:
    """H^-1 e for each of the right sides e (draws, C, k), H the Hessian at probabilities (C, n).

    Preconditioned by s X'X + penalty, s the mean curvature.
    """
    curvature = float((trust * (1 - said.square().sum(dim=0))).sum()) / said.numel()
    guess = points.T @ points * max(curvature, 1e-4)
    guess.diagonal().add_(penalty)
    lower = torch.linalg.cholesky(guess)

    def times(vectors: Tensor) -> Tensor:
        logits = vectors @ points.T
        bent = said * (logits - (said * logits).sum(dim=1, keepdim=True)) * trust
        return bent @ points + penalty * vectors

    def inner(one: Tensor, other: Tensor) -> Tensor:
        return (one * other).sum(dim=(1, 2), keepdim=True)

    found, rest = torch.zeros_like(right), right
    ahead = direction = torch.cholesky_solve(rest.mT, lower).mT
    size = first = inner(rest, ahead)
    for _ in range(_MAX_STEPS):
        if bool((size <= tolerance**2 * first).all()):
            break
        bent = times(direction)
        length = size / inner(direction, bent)
        found, rest = found + length * direction, rest - length * bent
        ahead = torch.cholesky_solve(rest.mT, lower).mT
        former, size = size, inner(rest, ahead)
        direction = ahead + size / former * direction
    return found
