"""At evaluation points: how accurate a model of the labels is, and how stale queries were."""

from collections.abc import Callable
from typing import Any

import torch

from al_engine.architectures import Classifier
from al_lab.config.settings import Setting
from al_lab.simulation import theorem
from al_lab.simulation.learner import Learner, Predictor
from al_lab.simulation.people import People
from al_lab.simulation.seeds import derive_seed, torch_generator
from al_lab.simulation.tally import Tally, mean
from al_lab.simulation.versions import Version, Versions
from al_lab.simulation.world import World

Event = dict[str, Any]


class Evaluator:
    """Measures at the evaluation points of a setting; `record` gets the results."""

    def __init__(
        self,
        setting: Setting,
        *,
        seed: int,
        world: World,
        learner: Learner,
        versions: Versions,
        test: Predictor,
        people: People,
        tally: Tally,
        record: Callable[[Event], None],
    ) -> None:
        self._setting = setting
        self._seed = seed
        self._world = world
        self._learner = learner
        self._versions = versions
        self._test = test
        self._people = people
        self._tally = tally
        self._record = record
        self._of_newest: tuple[Version, float] | None = None
        # The model of the previous evaluation, and the number of labels that it learned.
        self._before: tuple[Classifier, int] | None = None

    def is_due(self) -> bool:
        """Whether the present number of labels is an evaluation point."""
        labels, count = self._setting.labels, len(self._world.labels)
        asked = count - labels.initial
        return count > 0 and (asked % labels.evaluate_every == 0 or count == labels.budget)

    def evaluate(self, at: float) -> None:
        """Train a model on all labels, with a seed that all arms share, and measure it."""
        labels = self._world.labels
        trained = self._learner.train(
            labels, seed=derive_seed(self._seed, "evaluation", len(labels))
        )
        newest = self._versions.newest()
        accuracy = self._test.accuracy(trained.model)
        self._record(
            {
                "event": "evaluated",
                "at": at,
                "labels": len(labels),
                "accuracy": accuracy,
                "newest_accuracy": self._accuracy_of(newest) if newest else None,
                "labels_of_newest": newest.labels if newest else None,
                "staleness_mean": self._tally.staleness_since(),
                "waited_seconds": self._people.waited(),
                "answers": self._tally.answers,
                "seconds_between_queries": mean(self._tally.gaps),
                "seconds_per_label": self._setting.people.seconds_per_label,
            }
        )
        if self._setting.labels.bound and self._before is not None:
            self._record(self._estimate_bound(*self._before, at))
        self._before = trained.model, len(labels)

    def _accuracy_of(self, version: Version) -> float:
        if self._of_newest is None or self._of_newest[0] is not version:
            model = self._versions.model_of(version)
            self._of_newest = version, self._test.accuracy(model)
        return self._of_newest[1]

    def _estimate_bound(self, model: Classifier, learned: int, at: float) -> Event:
        """Estimate the terms of Theorem 1 for the model of the previous evaluation.

        The images queried since then stand for the queried data, the test images for all data: the
        model has learned neither. The risk is 1 - p(true class).
        """
        labels, predictor = self._world.labels[learned:], self._learner.predictor
        probabilities, embeddings = predictor.predict(model)
        shown = torch.from_numpy(self._learner.shows[[label.row for label in labels]])
        risk = 1 - probabilities[shown, predictor.images.truth[shown]]
        probabilities_all, embeddings_all = self._test.predict(model)
        truth = self._test.images.truth
        of = {
            name: torch.tensor([label.strategy == name for label in labels])
            for name in sorted({label.strategy for label in labels if label.strategy})
        }
        found = theorem.estimate_bound(
            embeddings_all=embeddings_all,
            embeddings_by_strategy={name: embeddings[shown[mine]] for name, mine in of.items()},
            risk_queried=float(risk.mean()),
            risk_all=float((1 - probabilities_all[torch.arange(len(truth)), truth]).mean()),
            risk_by_strategy={name: float(risk[mine].mean()) for name, mine in of.items()},
            lipschitz=theorem.lipschitz_constant(model.head.weight),
            generator=torch_generator(self._seed, "bound", len(self._world.labels)),
        )
        return {"event": "bound", "at": at, "labels": len(self._world.labels)} | found
