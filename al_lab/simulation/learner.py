"""All computation of a simulation: training, prediction, accuracy.

Models select with a temperature of 1: the product fits temperatures to audit labels, which
simulations do not have.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from al_engine import strategies
from al_engine.architectures import Classifier
from al_engine.strategies import Evidence
from al_engine.training.feed import copy_to_device, fits_on_device
from al_engine.training.loop import Trained, train
from al_engine.training.penalty import PenaltyMemory
from al_engine.training.scoring import NEWEST_LABELED, Scorer
from al_lab.config.settings import Model
from al_lab.data.datasets import Images
from al_lab.simulation.heads import FeatureScorer, fit_head
from al_lab.simulation.recipes import recipe_for
from al_lab.simulation.world import Label, Rows


class Predictor:
    """Some images, on the device where they fit, and the predictions of models for them."""

    def __init__(
        self, images: Images, *, classes: int, device: torch.device, generator: torch.Generator
    ) -> None:
        self.images = images
        self.classes = classes
        self.device = device
        pixels = images.pixels
        self._pixels = copy_to_device(pixels, device) if fits_on_device(pixels, device) else pixels
        self.scorer: Scorer | FeatureScorer = (
            Scorer(self.read, device=device, generator=generator)
            if images.features is None
            else FeatureScorer(images.features, device=device, generator=generator)
        )

    def read(self, rows: Rows) -> Tensor:
        """The pixels of some rows, uint8 (n, 3, S, S), on the device where all images are."""
        return self._pixels[torch.from_numpy(rows).to(self._pixels.device)]

    def predict(self, model: Classifier | None, rows: Rows | None = None) -> tuple[Tensor, Tensor]:
        """Class probabilities (n, C) and embeddings (n, d) of some rows, or of all."""
        rows = np.arange(len(self.images.truth)) if rows is None else rows
        return self.scorer.predict(model, rows, classes=self.classes)

    def accuracy(self, model: Classifier) -> float:
        """The share of all images that a model classifies correctly."""
        if isinstance(self.scorer, FeatureScorer):
            probabilities = self.scorer.probabilities(model)
        else:
            probabilities, _ = self.predict(model)
        return float((probabilities.argmax(dim=1) == self.images.truth).double().mean())


class Learner:
    """Trains models on labels of a pool whose row `i` shows the image `shows[i]`."""

    def __init__(self, model: Model, shows: Tensor, predictor: Predictor) -> None:
        self.shows: Rows = shows.numpy()
        self.predictor = predictor
        self._model = model
        self._image_size = predictor.images.pixels.shape[-1]
        # The last model with a frozen backbone, which the next one shares.
        self._frozen: Classifier | None = None
        # The last head on features, and the labels that it learned.
        self._fitted: tuple[int, Trained] | None = None
        self._penalty = PenaltyMemory()

    def train(
        self, labels: Sequence[Label], *, seed: int, former: Classifier | None = None
    ) -> Trained:
        """Train a model on these labels;

        their order does not matter. `former`: for a warm start.
        """
        labels = sorted(labels, key=lambda label: label.row)
        shown = self.shows[[label.row for label in labels]]
        scorer = self.predictor.scorer
        if isinstance(scorer, FeatureScorer):
            return self._fit_head(labels, scorer.features[torch.from_numpy(shown)])
        former = self._frozen or former
        features = self.predictor.predict(self._frozen, shown)[1] if self._frozen else None
        trained = train(
            self.predictor.read(shown),
            torch.tensor([label.answer for label in labels]),
            weights=torch.tensor([label.confidence for label in labels]),
            classes=self.predictor.classes,
            recipe=recipe_for(
                self._model,
                image_size=self._image_size,
                labels=len(labels),
                device=self.predictor.device,
            ),
            device=self.predictor.device,
            seed=seed,
            initial=former.state_dict() if former else None,
            features=features,
        )
        if trained.model.frozen_backbone:
            self._frozen = trained.model
        return trained

    def _fit_head(self, labels: Sequence[Label], features: Tensor) -> Trained:
        """A head depends on no seed: one for the same labels as the last is the last."""
        key = hash(tuple((label.row, label.answer, label.confidence) for label in labels))
        if self._fitted is None or self._fitted[0] != key:
            trained = fit_head(
                features,
                torch.tensor([label.answer for label in labels]),
                torch.tensor([label.confidence for label in labels]),
                classes=self.predictor.classes,
                device=self.predictor.device,
                former=self._fitted[1].model if self._fitted else None,
                penalty=self._penalty,
            )
            self._fitted = key, trained
        return self._fitted[1]


@dataclass(slots=True)
class PoolPredictions:
    """One model's predictions for the images of the pool, each made once, when it is first needed.

    `predicted` (n,) says which are made. `seconds_per_image`: what the last ones took on this
    machine.
    """

    learner: Learner
    model: Classifier | None
    members: Callable[[], Sequence[Classifier]]
    probabilities: Tensor
    embeddings: Tensor
    predicted: np.ndarray[tuple[int], np.dtype[np.bool_]]
    seconds_per_image: float = 0.0

    @classmethod
    def of(
        cls,
        learner: Learner,
        model: Classifier | None,
        members: Callable[[], Sequence[Classifier]] = lambda: (),
    ) -> "PoolPredictions":
        """No predictions are made yet;

        `members` returns the committee, where a strategy needs it.
        """
        count = len(learner.predictor.images.truth)
        if model is None:
            # Raw features are relative to all images, so they are made at once.
            probabilities, embeddings = learner.predictor.predict(None)
            made = np.ones(count, dtype=np.bool_)
            return cls(learner, None, members, probabilities, embeddings, made)
        probabilities = torch.empty(count, learner.predictor.classes)
        scorer = learner.predictor.scorer
        embeddings = (
            scorer.features
            if isinstance(scorer, FeatureScorer)
            else torch.empty(count, model.width)
        )
        made = np.zeros(count, dtype=np.bool_)
        return cls(learner, model, members, probabilities, embeddings, made)

    def predict_missing(self, rows: Rows) -> None:
        """Make the predictions for these rows of the pool that are not made yet."""
        if self.predicted.all():
            return
        shown = np.unique(self.learner.shows[rows])
        missing = shown[~self.predicted[shown]]
        if missing.size:
            began = time.perf_counter()
            scorer = self.learner.predictor.scorer
            if isinstance(scorer, FeatureScorer) and self.model is not None:
                # One product for all images takes less time than copying the rows of some.
                self.probabilities = scorer.probabilities(self.model)
                missing = np.arange(len(self.predicted))
            else:
                where = torch.from_numpy(missing)
                self.probabilities[where], self.embeddings[where] = self.learner.predictor.predict(
                    self.model, missing
                )
            self.predicted[missing] = True
            self.seconds_per_image = (time.perf_counter() - began) / missing.size

    def evidence(self, rows: Rows, strategy: str, labels: Sequence[Label]) -> Evidence:
        """What a strategy needs to know about these rows of the pool, with L as it is now."""
        self.predict_missing(rows)
        shown = self.learner.shows[rows]
        where = torch.from_numpy(shown)
        needed = bool(strategies.needs(strategy))
        part = Evidence(self.probabilities[where], self.embeddings[where] if needed else None)
        if self.model is None:
            return part
        return self.learner.predictor.scorer.complete(
            part,
            strategy,
            self.model,
            shown,
            members=self._opinions,
            labeled=lambda: self._of_labels(labels),
        )

    def _opinions(self, shown: Rows) -> Tensor | None:
        """What the committee says (M, n, C); None with fewer than two members."""
        others = self.members()
        return self.learner.predictor.scorer.ask(others, shown) if len(others) > 1 else None

    def embeddings_of(self, rows: Rows) -> Callable[[Tensor], Tensor]:
        """From places in `rows`, of which evidence was asked, int64 (n,), to embeddings (n, d)."""
        shown = torch.from_numpy(self.learner.shows[rows])
        return lambda places: self.embeddings[shown[places]]

    def _of_labels(self, labels: Sequence[Label]) -> Tensor:
        rows = np.array([label.row for label in labels[-NEWEST_LABELED:]], dtype=np.int64)
        self.predict_missing(rows)
        return self.embeddings[torch.from_numpy(self.learner.shows[rows])]
