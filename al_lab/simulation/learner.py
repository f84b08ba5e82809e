"""The only part of a simulation that computes: it trains, looks at images, and measures.

Models select as they come from training: the product fits a temperature to its audit labels, of
which the harness has none, so temperatures stay at 1.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from al_engine.architectures import Classifier
from al_engine.strategies import Evidence
from al_engine.training.feed import fits, resident
from al_engine.training.looking import LABELED, Looker
from al_engine.training.loop import Trained, train
from al_lab.config.settings import Model
from al_lab.data.datasets import Images
from al_lab.simulation.recipes import recipe_for
from al_lab.simulation.world import Label, Rows


class Eyes:
    """Some images, on the device where they fit there, and what models say of them."""

    def __init__(
        self, images: Images, *, classes: int, device: torch.device, generator: torch.Generator
    ) -> None:
        self.images = images
        self.classes = classes
        self.device = device
        pixels = images.pixels
        self._pixels = resident(pixels, device) if fits(pixels, device) else pixels
        self.looker = Looker(self.read, device=device, generator=generator)

    def read(self, rows: Rows) -> Tensor:
        """Their pixels, uint8 (n, 3, S, S), where they lie."""
        return self._pixels[torch.from_numpy(rows).to(self._pixels.device)]

    def look(self, model: Classifier | None, rows: Rows | None = None) -> tuple[Tensor, Tensor]:
        """Class probabilities (n, C) and embeddings (n, d) of some of them, or of all."""
        rows = np.arange(len(self.images.truth)) if rows is None else rows
        return self.looker.look(model, rows, classes=self.classes)

    def accuracy(self, model: Classifier) -> float:
        """The share of them that a model names rightly."""
        said, _ = self.look(model)
        return float((said.argmax(dim=1) == self.images.truth).double().mean())


class Learner:
    """Trains models on labels of a pool whose row `i` shows the image `shows[i]`."""

    def __init__(self, model: Model, shows: Tensor, eyes: Eyes) -> None:
        self.shows: Rows = shows.numpy()
        self.eyes = eyes
        self._model = model
        self._image_size = eyes.images.pixels.shape[-1]
        # The last one of a frozen backbone, from which the next one has its own.
        self._frozen: Classifier | None = None

    def train(
        self, labels: Sequence[Label], *, seed: int, former: Classifier | None = None
    ) -> Trained:
        """A model of these labels, whatever their order; `former` is for a warm start."""
        labels = sorted(labels, key=lambda label: label.row)
        shown = self.shows[[label.row for label in labels]]
        former = self._frozen or former
        features = self.eyes.look(self._frozen, shown)[1] if self._frozen else None
        trained = train(
            self.eyes.read(shown),
            torch.tensor([label.said for label in labels]),
            weights=torch.tensor([label.trust for label in labels]),
            classes=self.eyes.classes,
            recipe=recipe_for(
                self._model,
                image_size=self._image_size,
                labels=len(labels),
                device=self.eyes.device,
            ),
            device=self.eyes.device,
            seed=seed,
            initial=former.state_dict() if former else None,
            features=features,
        )
        if trained.model.frozen_backbone:
            self._frozen = trained.model
        return trained


@dataclass(slots=True)
class Sight:
    """What one model says of the images of the pool: each is looked at once, whoever asks.

    `seconds_per_image` is what the last look took, on this machine.
    """

    learner: Learner
    model: Classifier | None
    members: Callable[[], Sequence[Classifier]]
    said: Tensor
    seen: Tensor
    known: np.ndarray[tuple[int], np.dtype[np.bool_]]
    seconds_per_image: float = 0.0

    @classmethod
    def of(
        cls,
        learner: Learner,
        model: Classifier | None,
        members: Callable[[], Sequence[Classifier]] = lambda: (),
    ) -> "Sight":
        """Nothing is looked at yet; `members` gives the committee, where a strategy asks for it."""
        count = len(learner.eyes.images.truth)
        if model is None:
            # The axes of raw features come from all images.
            said, seen = learner.eyes.look(None)
            return cls(learner, None, members, said, seen, np.ones(count, dtype=np.bool_))
        said = torch.empty(count, learner.eyes.classes)
        seen = torch.empty(count, model.width)
        return cls(learner, model, members, said, seen, np.zeros(count, dtype=np.bool_))

    def cover(self, rows: Rows) -> None:
        """Look at what these rows of the pool show, where that was not done."""
        shown = np.unique(self.learner.shows[rows])
        missing = shown[~self.known[shown]]
        if missing.size:
            began = time.perf_counter()
            where = torch.from_numpy(missing)
            self.said[where], self.seen[where] = self.learner.eyes.look(self.model, missing)
            self.known[missing] = True
            self.seconds_per_image = (time.perf_counter() - began) / missing.size

    def evidence(self, rows: Rows, strategy: str, labels: Sequence[Label]) -> Evidence:
        """What a strategy needs to know of these rows of the pool, with L as it is."""
        self.cover(rows)
        shown = self.learner.shows[rows]
        where = torch.from_numpy(shown)
        part = Evidence(self.said[where], self.seen[where])
        if self.model is None:
            return part
        return self.learner.eyes.looker.completed(
            part,
            strategy,
            self.model,
            shown,
            members=self.members,
            labeled=lambda: self._embeddings_of(labels),
        )

    def _embeddings_of(self, labels: Sequence[Label]) -> Tensor:
        rows = np.array([label.row for label in labels[-LABELED:]], dtype=np.int64)
        self.cover(rows)
        return self.seen[torch.from_numpy(self.learner.shows[rows])]
