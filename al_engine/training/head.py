"""A linear head on fixed embeddings, fitted to all labels at once in at most a dozen steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

PENALTY_LABELS: Final = 3.0
"""L2 penalty on unit-variance features, equivalent to this many labels."""
_MAX_STEPS: Final = 12
_MAX_EVALUATIONS: Final = 15
# Rows that the covariance of features is estimated from; more make no measurable difference.
_SAMPLE_ROWS: Final = 10_000
# Lower bound of a feature's standard deviation, as a share of the mean standard deviation.
_SMALLEST_DEVIATION_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted head: state dict (weight (C, d), bias (C,)), steps, weighted mean loss in nats."""

    state: dict[str, Tensor]
    steps: int
    loss: float


def train_head(
    features: Tensor,
    targets: Tensor,
    *,
    weights: Tensor | None = None,
    classes: int,
    device: torch.device,
) -> Head:
    """Multinomial logistic regression on features, float (n, d), targets int64 (n,), n >= 1.

    `weights`: float (n,), how much each label counts. The problem is convex, so the result depends
    on no seed. A dozen steps of L-BFGS suffice, because it works in coordinates in which the
    Hessian's upper bound, half the covariance of the features (Böhning 1992, 'Multinomial logistic
    regression algorithm') plus the penalty, is the identity.
    """
    rows, truth = features.to(device).float(), targets.to(device)[:, None]
    count, width = rows.shape
    trust = torch.ones(count) if weights is None else weights.float()
    trust = (trust / trust.sum()).to(device)[:, None]
    penalty = PENALTY_LABELS / count
    mean, deviation, basis = _coordinates(rows[:: -(-count // _SAMPLE_ROWS)], penalty)
    # In the coordinates: (C, d) weights and (C,) biases of centered features.
    unknown = torch.zeros(classes, width + 1, device=device)

    def plain() -> tuple[Tensor, Tensor]:
        weight = unknown[:, :-1] @ basis.T
        return weight, unknown[:, -1] - weight @ mean

    loss = torch.zeros(())

    def descend() -> Tensor:
        nonlocal loss
        weight, bias = plain()
        logs = functional.linear(rows, weight, bias).log_softmax(dim=1)
        loss = -(logs.gather(1, truth) * trust).sum()
        excess = logs.exp().mul_(trust).scatter_add_(1, truth, -trust)  # (n, C)
        total = excess.sum(dim=0)
        # excess.T @ rows takes a CPU a tenth of the time of the transposed product.
        slope = excess.T @ rows - total[:, None] * mean + penalty * weight * deviation**2
        unknown.grad = torch.cat([slope @ basis, total[:, None]], dim=1)
        return loss + penalty / 2 * (weight * deviation).square().sum()

    with torch.no_grad():
        steps = _minimize(unknown, descend)
        weight, bias = plain()
    return Head({"weight": weight.cpu(), "bias": bias.cpu()}, steps, float(loss))


def _minimize(unknown: Tensor, descend: Callable[[], Tensor]) -> int:
    """Minimize from the current `unknown` by L-BFGS; returns the number of steps.

    `descend` returns the loss and sets the gradient.
    """
    search = torch.optim.LBFGS(
        [unknown],
        max_iter=_MAX_STEPS,
        max_eval=_MAX_EVALUATIONS,
        history_size=_MAX_STEPS,
        line_search_fn="strong_wolfe",
    )
    search.step(descend)  # type: ignore[no-untyped-call]
    steps: int = search.state[unknown]["n_iter"]
    return steps


def _coordinates(sample: Tensor, penalty: float) -> tuple[Tensor, Tensor, Tensor]:
    """The features' mean (d,), standard deviation (d,), and a basis B (d, d) for the descent.

    With H the upper bound of the Hessian, B B' = H^-1, so in the coordinates of B the bound is the
    identity.
    """
    mean = sample.mean(dim=0)
    centered = sample - mean
    # In double precision, because features of a network are often almost linearly dependent.
    covariance = (centered.T @ centered / sample.shape[0]).double().cpu()
    deviation = covariance.diagonal().sqrt()
    least = _SMALLEST_DEVIATION_SHARE * float(deviation.mean())
    deviation = deviation.clamp_min(least if least > 0 else 1.0)
    bound = covariance / 2 + penalty * deviation.square().diag()
    lower = torch.linalg.cholesky(bound)
    identity = torch.eye(bound.shape[0], dtype=torch.float64)
    basis = torch.linalg.solve_triangular(lower, identity, upper=False).T
    device = sample.device
    return mean, deviation.float().to(device), basis.float().to(device)
