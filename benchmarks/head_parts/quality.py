"""What a head is worth on real features: accuracy, loss and calibration by way of penalizing it.

And how well samples of it tell its errors, beside dropout.
"""

from collections.abc import Iterator
from statistics import fmean
from typing import Final

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from al_engine.training.calibration import expected_calibration_error, loss
from al_engine.training.coordinates import Coordinates
from al_engine.training.head import Head, train_head
from al_engine.training.opinions import ask_posterior, ask_with_dropout
from al_engine.training.penalty import choose_penalty

CPU: Final = torch.device("cpu")
COUNTS: Final = (20, 100, 400, 1_500, 2_500, 5_000)
HELD_OUT: Final = 500
OPINIONS: Final = 8
FIXED: Final = 3.0
"""The penalty that heads had before."""
TOLERANCES: Final = (1e-2, 1e-3, 1e-4, 1e-6)
_TURNS: Final = 6


def penalized(features: Tensor, targets: Tensor, seeds: int) -> Iterator[str]:
    """Rows of the table: cross-validation, evidence, and the fixed penalty, by labels."""
    for count in _counts(targets):
        told: dict[str, list[tuple[float, ...]]] = {}
        for seed in range(seeds):
            learn, held = _split(targets, count, seed)
            rows, truth = features[learn], targets[learn]
            classes = int(targets.max()) + 1
            ways = {"cross-validation": None, "evidence": _evidence(rows, truth, classes)}
            for way, penalty in {**ways, "fixed": FIXED}.items():
                head = train_head(rows, truth, classes=classes, device=CPU, penalty=penalty)
                said = functional.linear(features[held], *head.state.values()).softmax(dim=1)
                right = float((said.argmax(dim=1) == targets[held]).float().mean())
                ece = expected_calibration_error(said, targets[held])
                found = (head.penalty, 100 * right, loss(said, targets[held]), 100 * ece)
                told.setdefault(way, []).append(found)
        for way, each in told.items():
            penalty, right, nats, ece = (fmean(column) for column in zip(*each, strict=True))
            yield f"| {count:,} | {way} | {penalty:.1f} | {right:.1f} | {nats:.3f} | {ece:.1f} |"


def tolerated(features: Tensor, targets: Tensor, seeds: int) -> Iterator[str]:
    """Rows of the table: heads that are fitted more or less exactly, by labels and tolerance."""
    for count in _counts(targets)[1:]:
        told: dict[float, list[tuple[float, ...]]] = {}
        for seed in range(seeds):
            learn, held = _split(targets, count, seed)
            rows, truth, classes = features[learn], targets[learn], int(targets.max()) + 1
            penalty = choose_penalty(rows, truth, torch.ones(count), classes=classes)
            for tolerance in TOLERANCES:
                head = train_head(
                    rows, truth, classes=classes, device=CPU, penalty=penalty, tolerance=tolerance
                )
                said = functional.linear(features[held], *head.state.values()).softmax(dim=1)
                right = float((said.argmax(dim=1) == targets[held]).float().mean())
                ece = expected_calibration_error(said, targets[held])
                found = (head.steps, 100 * right, loss(said, targets[held]), 100 * ece)
                told.setdefault(tolerance, []).append(found)
        for tolerance, each in told.items():
            steps, right, nats, ece = (fmean(column) for column in zip(*each, strict=True))
            yield (
                f"| {count:,} | {tolerance:.0e} | {steps:.0f} | {right:.1f} | {nats:.3f} "
                f"| {ece:.1f} |"
            )


def doubted(features: Tensor, targets: Tensor, seeds: int) -> Iterator[str]:
    """Rows of the table: how well mutual information tells errors, by labels and opinions."""
    for count in _counts(targets):
        told: dict[str, list[tuple[float, ...]]] = {}
        for seed in range(seeds):
            learn, held = _split(targets, count, seed)
            classes = int(targets.max()) + 1
            head = train_head(features[learn], targets[learn], classes=classes, device=CPU)
            last = nn.Linear(features.shape[1], classes)
            last.load_state_dict(head.state)
            generator = torch.Generator().manual_seed(seed)
            asked, truth = features[held], targets[held]
            wrong = (last(asked).argmax(dim=1) != truth).numpy()
            ways = {
                "samples of the head": ask_posterior(
                    last, asked, features[learn], count=OPINIONS, generator=generator
                ),
                "dropout": ask_with_dropout(last, asked, count=OPINIONS, generator=generator),
            }
            for way, members in ways.items():
                mean = members.mean(dim=0)
                found = (roc_auc_score(wrong, _information(members)), loss(mean, truth))
                told.setdefault(way, []).append(found)
        for way, each in told.items():
            area, nats = (fmean(column) for column in zip(*each, strict=True))
            yield f"| {count:,} | {way} | {area:.3f} | {nats:.3f} |"


def _counts(targets: Tensor) -> list[int]:
    return [count for count in COUNTS if count + HELD_OUT <= len(targets)]


def _split(targets: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows to learn from and rows held out; the latter are those of the seed at every count."""
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(seed))
    return order[HELD_OUT : HELD_OUT + count], order[:HELD_OUT]


def _evidence(rows: Tensor, truth: Tensor, classes: int) -> float:
    """The penalty of most evidence: the fixed point of MacKay (1992), gamma / |w|^2.

    The Hessian is taken as block-diagonal with the mean curvature of each class.
    """
    coordinates = Coordinates.of(rows)
    inner = coordinates.points[:, :-1].double()
    spectrum = torch.linalg.eigvalsh(inner.T @ inner).clamp_min(0)
    penalty, head = 10.0, None
    for _ in range(_TURNS):
        former = None if head is None else head.state
        head = train_head(rows, truth, classes=classes, device=CPU, former=former, penalty=penalty)
        said = functional.linear(rows, *head.state.values()).softmax(dim=1)
        bent = spectrum * (said * (1 - said)).mean(dim=0).double()[:, None]
        penalty = float((bent / (bent + penalty)).sum()) / _size(head, coordinates)
        penalty = min(max(penalty, 0.1), 1e4)
    return penalty


def _size(head: Head, coordinates: Coordinates) -> float:
    """The sum of the squared weights of standardized features."""
    return float((head.state["weight"] * coordinates.deviation).square().sum())


def _information(members: Tensor) -> Tensor:
    """Mutual information of class and model, nats (n,), of opinions (M, n, C)."""
    unsure = torch.special.entr(members).sum(dim=2).mean(dim=0)
    information: Tensor = torch.special.entr(members.mean(dim=0)).sum(dim=1) - unsure
    return information
