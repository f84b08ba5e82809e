"""Multinomial logistic regression, exact: preconditioned L-BFGS with a certificate.

Minimizes F(W) = sum_i w_i (-log softmax(W x_i)[y_i]) + sum_cj lambda_j W_cj^2 / 2 for several
problems at once, which share their rows and differ in their weights and penalties: the folds and
candidates of a cross-validation take hardly longer than one of them.

- Quasi-Newton steps by L-BFGS (Nocedal 1980) whose first guess of the Hessian is s X'X + lambda, s
  the mean curvature of the softmax at present. Böhning's bound (1992), s = 1/2, holds everywhere,
  but as the head grows sure of its labels s falls to hundredths, and the bound took four times as
  many steps on embeddings of photographs. Of very many rows, X'X is of those that bend the loss:
  rows that the head is sure of hardly do. That is half of the steps again, and takes as long as six
  of them with 50,000 rows, but as long as all with 5,000.
- Logits along a direction are linear, so the line search needs no product with the rows: a step is
  one product forward and one back.
- It ends by the gap: F is lambda-strongly convex, so F(W) - min F <= sum_cj G_cj^2 / (2 lambda_j)
  with G the gradient [Boyd & Vandenberghe 2004, section 9.1.2].
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

TOLERANCE: Final = 1e-3
"""Nats a label by which the loss may exceed the least possible one at most.

The excess itself was a fifth to a fortieth of that, far below what few labels leave open. A tenth
of it takes up to twice as many steps (docs/benchmarks/heads.md).
"""
MAX_STEPS: Final = 300
_HISTORY: Final = 12
_LINE_STEPS: Final = 8
# A line search ends where the slope is this share of the slope at its start.
_LINE_SHARE: Final = 0.2
# The guess of the Hessian is made anew when the curvature has changed by this factor.
_CURVATURE_CHANGE: Final = 3.0
_SMALLEST_CURVATURE: Final = 1e-4
# Rows that the guess is made from, in multiples of their width, and the share of them that is drawn
# from all rows alike.
_BENDING_ROWS: Final = 3.0
_ALIKE_SHARE: Final = 0.1
_ROWS_A_BLOCK: Final = 1_024  # a product with few classes that takes rows in blocks is faster


@dataclass(frozen=True, slots=True)
class Problems:
    """B problems: rows float32 (n, k), targets int64 (n,), weights (B, n), penalties (B, k) > 0.

    `gram`: float32 (k, k), X'X or an estimate of it, or (k,) if it is diagonal; None to make it of
    the rows that bend the loss. It decides the number of steps, never the result.
    """

    points: Tensor
    targets: Tensor
    weights: Tensor
    penalties: Tensor
    gram: Tensor | None
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
    logits = _logits(points, unknown)  # (B, C, n): so softmax takes a twentieth of the time
    said = logits.softmax(dim=1)
    slope = _slope(problems, said, unknown)
    memory = _Memory(problems)
    steps = 0
    while True:
        gap = float(((slope.square() / penalties).sum(dim=(1, 2)) / 2 / count).max())
        if gap <= tolerance or steps == max_steps:
            break
        direction = memory.direction(slope, said)
        ahead = _logits(points, direction)
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
    logs = _logits(problems.points, unknown).log_softmax(dim=1)
    return -logs.gather(1, problems.targets.expand(len(unknown), 1, -1)).squeeze(1)


def _logits(points: Tensor, unknown: Tensor) -> Tensor:
    """Logits (B, C, n): as one plain product, which takes two thirds of a batched one's time."""
    flat = unknown.flatten(0, 1)
    if len(points) <= _ROWS_A_BLOCK or points.device.type != "cpu":
        return (flat @ points.T).view(*unknown.shape[:2], len(points))
    logits = points.new_empty(len(flat), len(points))
    for start in range(0, len(points), _ROWS_A_BLOCK):
        part = slice(start, start + _ROWS_A_BLOCK)
        logits[:, part] = flat @ points[part].T
    return logits.view(*unknown.shape[:2], len(points))


def _slope(problems: Problems, said: Tensor, unknown: Tensor) -> Tensor:
    """The gradient (B, C, k) at weights that say probabilities (B, C, n)."""
    weights = problems.weights[:, None]
    excess = said * weights
    excess.scatter_add_(1, problems.targets.expand(len(said), 1, -1), -weights)
    slope = (excess.flatten(0, 1) @ problems.points).view_as(unknown)
    return slope.addcmul_(problems.penalties[:, None, :], unknown)


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
        if self._guess.ndim == 2:
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
        problems = self._problems
        bends = problems.weights * (1 - said.square().sum(dim=1)) / problems.classes  # (B, n)
        total = problems.weights.sum(dim=1)
        curvature = (bends.sum(dim=1) / total).clamp_min(_SMALLEST_CURVATURE)
        ratio = curvature / self._curvature
        if bool(((ratio < _CURVATURE_CHANGE) & (ratio > 1 / _CURVATURE_CHANGE)).all()):
            return
        self._curvature = curvature
        if problems.gram is None:
            guess = torch.stack([_bending_gram(problems.points, each) for each in bends])
        elif problems.gram.ndim == 1:
            self._guess = curvature[:, None] * problems.gram + problems.penalties
            return
        else:
            guess = curvature[:, None, None] * problems.gram
        guess.diagonal(dim1=1, dim2=2).add_(problems.penalties)
        self._guess = torch.linalg.cholesky(guess)


def _bending_gram(points: Tensor, bends: Tensor) -> Tensor:
    """X' diag(b) X (k, k) for bends b (n,), estimated from rows that are drawn by them."""
    chances = bends + (_ALIKE_SHARE * bends.mean()).clamp_min(torch.finfo(torch.float32).tiny)
    count = min(len(points), math.ceil(_BENDING_ROWS * points.shape[1]))
    sums = chances.double().cumsum(dim=0)
    # In equal steps along the sum of the chances, so that equal problems have equal guesses.
    steps = (torch.arange(count, device=points.device, dtype=torch.float64) + 0.5) / count
    drawn = torch.searchsorted(sums, steps * sums[-1]).clamp_max(len(points) - 1)
    scale = (bends[drawn] / chances[drawn] * (float(sums[-1]) / count)).sqrt()
    some = points[drawn] * scale[:, None]
    return some.T @ some
