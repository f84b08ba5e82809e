"""One simulation: train on L, measure, select from D, answer correctly, repeat.

The synchronous loop of active learning with the product's training, recipe, strategies and filter
of near-duplicates. Only strategies are compared: queries are never stale, every answer is correct,
and everything else is equal for equal seeds.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch import Tensor

from al_engine import strategies
from al_engine.architectures import Classifier
from al_engine.strategies import COPY_COSINE, Evidence
from al_engine.training.evaluate import predict, predict_with_features
from al_engine.training.loop import train
from al_engine.training.recipe import Recipe, default_recipe
from benchmarks.learning.pool import CLASSES, SIDE, Pool, Split, sampled

ARCHITECTURE: Final = "small_cnn"
DEVICE: Final = torch.device("cpu")
COMMITTEE: Final = 3
"""Networks in a committee, trained with different seeds."""

RANK_AHEAD: Final = 4
"""A filtered strategy ranks this many times the batch, and this many times more if too few remain.
"""

COPIES: Final = {"clean": 1, "copied": 10}


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of a simulation; `clean` and `copied` are the different images in these pools."""

    clean: int
    copied: int
    initial: int
    batch: int
    rounds: int
    test: int

    def images(self, pool: str) -> int:
        """The number of different images in the pool of this name."""
        return self.clean if pool == "clean" else self.copied

    @property
    def budget(self) -> int:
        """The number of labels at the end."""
        return self.initial + self.batch * self.rounds


@dataclass(frozen=True, slots=True, order=True)
class Arm:
    """A strategy on a pool, with or without the filter of near-duplicates."""

    pool: str
    filtered: bool
    strategy: str


@dataclass(frozen=True, slots=True)
class Course:
    """The results of an arm with a seed: test accuracy after each number of labels.

    `distinct`: different images among the labels at the end. `seconds`: processor time.
    """

    arm: Arm
    seed: int
    labels: list[int]
    accuracy: list[float]
    distinct: int
    seconds: float


def recipe(labels: int) -> Recipe:
    """The product's recipe for this network and number of labels, from scratch each time."""
    return default_recipe(
        ARCHITECTURE, image_size=SIDE, labels=labels, device=DEVICE, warm_start="scratch"
    )


def conditions(sizes: Sizes) -> dict[str, Any]:
    """The conditions that results must share to be compared."""
    at_end = asdict(recipe(sizes.budget))
    return {"sizes": asdict(sizes), "recipe": at_end}


def run(arm: Arm, *, seed: int, sizes: Sizes, data: Split, test: Split) -> Course:
    """Simulate this arm with this seed: label `sizes.budget` images of a sample of the data."""
    began = time.process_time()
    dice = torch.Generator().manual_seed(seed)
    pool = sampled(data, images=sizes.images(arm.pool), copies=COPIES[arm.pool], generator=dice)
    known = torch.zeros(len(pool), dtype=torch.bool)
    known[torch.randperm(len(pool), generator=dice)[: sizes.initial]] = True
    labels, accuracy = [], []
    for turn in range(sizes.rounds + 1):
        models = _Models(pool, known, first_seed=1_000 * seed + 10 * turn)
        labels.append(int(known.sum()))
        accuracy.append(models.accuracy(test))
        if turn < sizes.rounds:
            known[_selected(arm, models, known, sizes.batch, generator=dice)] = True
    return Course(
        arm=arm,
        seed=seed,
        labels=labels,
        accuracy=accuracy,
        distinct=int((pool.shows[known].bincount() > 0).sum()),
        seconds=time.process_time() - began,
    )


class _Models:
    """The networks of a round, and their predictions on the pool's images."""

    def __init__(self, pool: Pool, known: Tensor, *, first_seed: int) -> None:
        self._pool = pool
        self._known = known
        self._first_seed = first_seed
        self._model = self._trained(0)

    def accuracy(self, test: Split) -> float:
        """The network's accuracy on the test images."""
        said = predict(self._model, test.images, device=DEVICE).argmax(dim=1)
        return float((said == test.truth).double().mean())

    def evidence(self, candidates: Tensor, *, needs: frozenset[str], embeddings: bool) -> Evidence:
        """The evidence that a strategy needs about these rows of the pool, int64 (N,)."""
        images, shows = self._pool.of.images, self._pool.shows
        said, features = predict_with_features(self._model, images, device=DEVICE)
        members = None
        if "members" in needs:
            others = (self._trained(member) for member in range(1, COMMITTEE))
            opinions = [said, *(predict(other, images, device=DEVICE) for other in others)]
            members = torch.stack(opinions)[:, shows[candidates]]
        return Evidence(
            probabilities=said[shows[candidates]],
            embeddings=features[shows[candidates]] if embeddings or "embeddings" in needs else None,
            members=members,
            labeled=features[shows[self._known]] if "labeled" in needs else None,
        )

    def _trained(self, member: int) -> Classifier:
        rows = self._pool.shows[self._known]
        return train(
            self._pool.of.images[rows],
            self._pool.of.truth[rows],
            classes=CLASSES,
            recipe=recipe(rows.shape[0]),
            device=DEVICE,
            seed=self._first_seed + member,
        ).model


def _selected(
    arm: Arm, models: _Models, known: Tensor, budget: int, *, generator: torch.Generator
) -> Tensor:
    """The rows of the pool to label next, int64 (budget,)."""
    candidates = (~known).nonzero().flatten()
    needs = strategies.needs(arm.strategy)
    evidence = models.evidence(candidates, needs=needs, embeddings=arm.filtered)

    def ranked(count: int) -> Tensor:
        return strategies.select(arm.strategy, evidence, count, generator=generator).indices

    if evidence.embeddings is None or not arm.filtered:
        return candidates[ranked(budget)]
    count = budget
    while True:
        count = min(count * RANK_AHEAD, candidates.shape[0])
        order = ranked(count)
        kept = strategies.drop_near_duplicates(evidence.embeddings, order, threshold=COPY_COSINE)
        if kept.shape[0] >= budget:
            return candidates[kept[:budget]]
        if count == candidates.shape[0]:
            # Too few images differ, so fill up with the best near-duplicates.
            rest = order[~torch.isin(order, kept)]
            return candidates[torch.cat([kept, rest])[:budget]]
