"""A linear head on fixed embeddings, fitted to all labels at once and exactly."""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from al_engine.training.coordinates import Coordinates
from al_engine.training.logistic import TOLERANCE, Problems, losses, solve
from al_engine.training.penalty import PenaltyMemory, penalties_of

# Rows that the Gram matrix is estimated from, in multiples of its width. It decides only the number
# of steps: twice as many rows save a fifth of them, and take longer than that.
_GRAM_ROWS: Final = 1.5
# With more rows than this many times their width, it is made of those that bend the loss.
_MANY_ROWS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted head.

    `state`: weight (C, d) and bias (C,), float32 on the CPU. `loss`: weighted mean loss in nats.
    `penalty`: of the squared weights of standardized features, in labels. `gap`: by how many nats a
    label the penalized loss exceeds its minimum at most.
    """

    state: dict[str, Tensor]
    steps: int
    loss: float
    penalty: float
    gap: float


def train_head(
    features: Tensor,
    targets: Tensor,
    *,
    weights: Tensor | None = None,
    classes: int,
    device: torch.device,
    former: dict[str, Tensor] | None = None,
    penalty: float | PenaltyMemory | None = None,
    tolerance: float = TOLERANCE,
) -> Head:
    """Multinomial logistic regression on features, float (n, d), targets int64 (n,), n >= 1.

    `weights`: float (n,), how much each label counts; only if all are 0 do labels of weight 0
    count. `former`: the state of an earlier head of the same classes, to start from; a head of
    other sizes is ignored. It changes the time, not the result. `penalty`: of weights of
    standardized features, in labels; None or a memory chooses it by cross-validation. `tolerance`:
    by how many nats a label the penalized loss may exceed its minimum. The problem is strictly
    convex, so the result depends on no seed.
    """
    trust = torch.ones(len(targets)) if weights is None else weights.float().cpu()
    counted = trust > 0 if bool((trust > 0).any()) else trust >= 0
    trust = trust[counted].clamp_min(torch.finfo(torch.float32).tiny).to(device)
    if not bool(counted.all()):
        features = features[counted.to(features.device)]
        targets = targets[counted.to(targets.device)]
    rows, truth = features.to(device).float(), targets.to(device)
    if penalty is None:
        penalty = PenaltyMemory()
    if isinstance(penalty, PenaltyMemory):
        penalty = penalty.choose(rows, truth, trust, classes=classes)
    coordinates = Coordinates.of(rows)
    points = coordinates.points
    problem = Problems(
        points,
        truth,
        trust[None],
        penalties_of(penalty, points.shape[1]).to(device)[None],
        _gram(points, float(trust.mean())),
        classes,
    )
    start = None
    if former is not None and former["weight"].shape == (classes, rows.shape[1]):
        # A class that an aligned head did not know has a bias of minus infinity.
        former = {name: each.nan_to_num(neginf=0.0) for name, each in former.items()}
        start = coordinates.unknown(former["weight"].to(device), former["bias"].to(device))[None]
    found = solve(problem, start=start, tolerance=tolerance)
    loss = float((losses(problem, found.unknown) @ trust).squeeze() / trust.sum())
    weight, bias = coordinates.plain(found.unknown[0])
    state = {"weight": weight.cpu(), "bias": bias.cpu()}
    return Head(state, found.steps, loss, penalty, found.gap)


def former_head(state: dict[str, Tensor] | None) -> dict[str, Tensor] | None:
    """The head in the state dict of a classifier, as `train_head` starts from it; None without."""
    if state is None or not {"head.weight", "head.bias"} <= state.keys():
        return None
    return {name: state[f"head.{name}"] for name in ("weight", "bias")}


def _gram(points: Tensor, trust: float) -> Tensor | None:
    """X'X of points (n, k), as if all had the weight `trust`, from some of them; None if many."""
    if len(points) > _MANY_ROWS * points.shape[1]:
        return None
    some = points[:: math.ceil(len(points) / (_GRAM_ROWS * points.shape[1]))]
    return some.T @ some * (trust * len(points) / len(some))
