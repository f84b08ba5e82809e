"""Multinomial logistic regression, exact: preconditioned L-BFGS with a certificate.

Minimizes F(W) = sum_i w_i (-log softmax(W x_i)[y_i]) + sum_cj lambda_j W_cj^2 / 2 for several
problems at once, which share their rows and differ in their weights and penalties: the folds and
candidates of a cross-validation take hardly longer than one of them.

- Quasi-Newton steps by L-BFGS (Nocedal 1980) whose first guess of the Hessian is s X'X + lambda, s
  the mean curvature of the softmax at present. Böhning's bound (1992), s = 1/2, holds everywhere,
  but as the head grows sure of its labels s falls to hundredths, and the bound took four times as
  many steps on embeddings of photographs.
- Logits along a direction are linear, so the line search needs no product with the rows: a step is
  one product forward and one back.
- It ends by the gap: F is lambda-strongly convex, so F(W) - min F <= sum_cj G_cj^2 / (2 lambda_j)
  with G the gradient [Boyd & Vandenberghe 2004, section 9.1.2].
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

TOLERANCE: Final = 1e-4
"""Nats a label by which the loss may exceed the least possible one."""
MAX_STEPS: Final = 300
_HISTORY: Final = 12
_LINE_STEPS: Final = 8
# A line search ends where the slope is this share of the slope at its start.
_LINE_SHARE: Final = 0.2
# The guess of the Hessian is made anew when the curvature has changed by this factor.
_CURVATURE_CHANGE: Final = 3.0
_SMALLEST_CURVATURE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Problems:
    """B problems: rows float32 (n, k), targets int64 (n,), weights (B, n), penalties (B, k) > 0.

    `gram`: float32 (k, k), X'X or an estimate of it, or (k,) if it is diagonal; it decides the
    number of steps, never the result.
    """

    points: Tensor
    targets: Tensor
    weights: Tensor
    penalties: Tensor
    gram: Tensor
    classes: int


@dataclass(frozen=True, slots=True)
class Solution:
    """Weights (B, C, k), steps taken, and the largest gap in nats a label."""

    unknown: Tensor
    steps: int
    gap: float


@torch.no_grad()
def solve(
    problems: Problems,
    *,
    start: Tensor | None = None,
    tolerance: float = TOLERANCE,
    max_steps: int = MAX_STEPS,
) -> Solution:
    """Solve from `start`, (B, C, k), or from zero, until the gap of each is below the tolerance.

    It ends sooner at the precision of float32, where a step gains nothing any more.
    """
    points, penalties = problems.points, problems.penalties[:, None, :]
    count = problems.weights.sum(dim=1)
    shape = (len(count), problems.classes, points.shape[1])
    unknown = points.new_zeros(shape) if start is None else start.clone()
    logits = unknown @ points.T  # (B, C, n): softmax over rows in line is twenty times as fast
    said = logits.softmax(dim=1)
    slope = _slope(problems, said, unknown)
    memory = _Memory(problems)
    steps = 0
    while True:
        gap = float(((slope.square() / penalties).sum(dim=(1, 2)) / 2 / count).max())
        if gap <= tolerance or steps == max_steps:
            break
        direction = memory.direction(slope, said)
        ahead = direction @ points.T
        length = _line_search(problems, unknown, direction, logits, ahead, slope)
        if not bool((length > 0).any()):
            break
        change = length[:, None, None] * direction
        unknown += change
        logits += ahead.mul_(length[:, None, None])
        said = torch.softmax(logits, dim=1)
        former, slope = slope, _slope(problems, said, unknown)
        memory.add(change, slope - former)
        steps += 1
    return Solution(unknown, steps, gap)


def losses(problems: Problems, unknown: Tensor) -> Tensor:
    """Each row's loss in nats by weights (B, C, k): float32 (B, n), not weighted, no penalty."""
    logs = (unknown @ problems.points.T).log_softmax(dim=1)
    return -logs.gather(1, problems.targets.expand(len(unknown), 1, -1)).squeeze(1)


def _slope(problems: Problems, said: Tensor, unknown: Tensor) -> Tensor:
    """The gradient (B, C, k) at weights that say probabilities (B, C, n)."""
    weights = problems.weights[:, None]
    excess = said * weights
    excess.scatter_add_(1, problems.targets.expand(len(said), 1, -1), -weights)
    return excess @ problems.points + problems.penalties[:, None, :] * unknown


def _line_search(
    problems: Problems,
    unknown: Tensor,
    direction: Tensor,
    logits: Tensor,
    ahead: Tensor,
    slope: Tensor,
) -> Tensor:
    """Lengths (B,) at which each loss along its direction is about least, by Newton steps.

    0 where the direction does not descend. `ahead`: the direction's logits (B, C, n).
    """
    weights = problems.weights
    scaled = problems.penalties[:, None, :] * direction
    bend = (scaled * direction).sum(dim=(1, 2))
    given = ahead.gather(1, problems.targets.expand(len(ahead), 1, -1)).squeeze(1)
    fixed = (scaled * unknown).sum(dim=(1, 2)) - (weights * given).sum(dim=1)
    start = (slope * direction).sum(dim=(1, 2))
    length = (start < 0).float()
    low, high = torch.zeros_like(length), torch.full_like(length, torch.inf)
    for _ in range(_LINE_STEPS):
        share = torch.softmax(logits + length[:, None, None] * ahead, dim=1).mul_(ahead)
        mean = share.sum(dim=1)
        first = (weights * mean).sum(dim=1) + fixed + length * bend
        if bool(((first.abs() <= _LINE_SHARE * start.abs()) | (length == 0)).all()):
            break
        spread = share.mul_(ahead).sum(dim=1) - mean.square()
        second = (weights * spread).sum(dim=1) + bend
        low, high = torch.where(first < 0, length, low), torch.where(first < 0, high, length)
        newton = length - first / second
        inside = (newton > low) & (newton < high)
        halved = torch.where(high.isinf(), 2 * length, (low + high) / 2)
        length = torch.where(length == 0, length, torch.where(inside, newton, halved))
    return length


class _Memory:
    """The last steps and changes of the gradient, and the directions that L-BFGS makes of them."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._curvature = torch.zeros(len(problems.weights), device=problems.points.device)
        self._guess = torch.empty(0)
        self._pairs: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, step: Tensor, change: Tensor) -> None:
        """A step (B, C, k) and how it changed the gradient."""
        product = (step * change).sum(dim=(1, 2))
        # A problem that stands still has no say: its step counts as nothing.
        inverse = torch.where(product > 0, 1 / product, torch.zeros_like(product))
        self._pairs = [*self._pairs[1 - _HISTORY :], (step, change, inverse[:, None, None])]

    def direction(self, slope: Tensor, said: Tensor) -> Tensor:
        """Downhill from a gradient (B, C, k), at probabilities (B, C, n)."""
        self._follow(said)
        downhill = slope.clone()
        shares = []
        for step, change, inverse in reversed(self._pairs):
            share = inverse * (step * downhill).sum(dim=(1, 2), keepdim=True)
            downhill -= share * change
            shares.append(share)
        if self._problems.gram.ndim == 1:
            downhill /= self._guess[:, None, :]
        else:
            downhill = torch.cholesky_solve(downhill.mT, self._guess).mT
        for (step, change, inverse), share in zip(self._pairs, reversed(shares), strict=True):
            back = inverse * (change * downhill).sum(dim=(1, 2), keepdim=True)
            downhill += (share - back) * step
        return downhill.neg_()

    def _follow(self, said: Tensor) -> None:
        """Guess the Hessian anew if the mean curvature has changed much.

        `_guess` is its diagonal (B, k) or its Cholesky factor (B, k, k).
        """
        weights = self._problems.weights
        each = (weights * (1 - said.square().sum(dim=1))).sum(dim=1)
        curvature = (each / weights.sum(dim=1) / self._problems.classes).clamp_min(
            _SMALLEST_CURVATURE
        )
        ratio = curvature / self._curvature
        if bool(((ratio < _CURVATURE_CHANGE) & (ratio > 1 / _CURVATURE_CHANGE)).all()):
            return
        self._curvature = curvature
        if self._problems.gram.ndim == 1:
            self._guess = curvature[:, None] * self._problems.gram + self._problems.penalties
            return
        guess = curvature[:, None, None] * self._problems.gram
        guess.diagonal(dim1=1, dim2=2).add_(self._problems.penalties)
        self._guess = torch.linalg.cholesky(guess)
