"""g*: the versions that servers published, and the one that workers take (paper, section 3.1).

With given durations a model is trained only when its predictions are needed; models whose
predictions nobody needs are never trained.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from al_engine.architectures import Classifier
from al_engine.decisions import rules
from al_lab.config.settings import Setting
from al_lab.simulation.learner import Learner, PoolPredictions, Predictor
from al_lab.simulation.world import Label

_COMMITTEE_CANDIDATES: Final = 4 * rules.MAX_COMMITTEE
"""How many of the newest versions can be members of a committee, as in the product."""


@dataclass(slots=True, eq=False)
class Version:
    """A model trained by a server on the first `labels` labels of L;

    published, it has a `number`.
    """

    server: int
    labels: int
    seed: int
    number: int = -1
    published_at: float = 0.0
    model: Classifier | None = None
    accuracy: float = 0.0  # on the validation images, where `model_choice` needs it


@dataclass(slots=True)
class Versions:
    """All versions. `labels` is L; `eager` trains each version, also without need."""

    setting: Setting
    learner: Learner
    validation: Predictor | None
    labels: Sequence[Label]
    eager: bool
    published: list[Version] = field(default_factory=list)
    trainings: int = 0
    _predictions: tuple[int, PoolPredictions] | None = None
    _numbers: "count[int]" = field(default_factory=count)

    def begin(self, server: int, seed: int) -> tuple[Version, float | None]:
        """Begin a training on L as it is now; returns its seconds too, where it is done at once."""
        version = Version(server, len(self.labels), seed)
        # A warm start continues the version that is the newest one now.
        warm = self.setting.model.warm_start != "scratch" and bool(self.published)
        if not (self.eager or warm):
            return version, None
        return version, self._train(version, self.published[-1] if warm else None)

    def publish(self, version: Version, at: float) -> None:
        """Publish a version: workers can take it from now on."""
        version.number, version.published_at = next(self._numbers), at
        self.published.append(version)
        if self.validation is not None:
            version.accuracy = self.validation.accuracy(self.model_of(version))
        self._drop_models()

    def newest(self) -> Version | None:
        """g*: the version that workers take now; None before the first."""
        lacking = self.setting.arrangement.imposed_staleness
        labels = len(self.labels)
        match self.setting.arrangement.model_choice:
            case "most_labels":
                return max(self._old_enough(labels, lacking), key=_labels, default=None)
            case "best_validation":
                return max(self._old_enough(labels, lacking), key=_accuracy, default=None)
            case _:
                for version in reversed(self.published):
                    if not version.number or labels - version.labels >= lacking:
                        return version
                return None

    def model_of(self, version: Version) -> Classifier:
        """The model of a version, trained now if it was not needed before."""
        if version.model is None:
            self._train(version)
        assert version.model is not None  # noqa: S101 - for the type checker
        return version.model

    def predictions(self, version: Version | None) -> PoolPredictions:
        """The predictions of a version; without one, raw features of the images."""
        number = -1 if version is None else version.number
        if self._predictions is None or self._predictions[0] != number:
            model = None if version is None else self.model_of(version)
            self._predictions = (number, PoolPredictions.of(self.learner, model, self._committee))
        return self._predictions[1]

    def newer_than(self, number: int, at: float) -> int:
        """How many later versions were published before a time."""
        first = number + 1
        return bisect_left(self.published, at, lo=first, key=_published_at) - first

    def _old_enough(self, labels: int, lacking: int) -> list[Version]:
        return [v for v in self.published if not v.number or labels - v.labels >= lacking]

    def _committee(self) -> list[Classifier]:
        recent = self.published[: -_COMMITTEE_CANDIDATES - 1 : -1]
        chosen = rules.committee(
            recent, rules.MAX_COMMITTEE, server_of=lambda version: version.server
        )
        return [self.model_of(version) for version in chosen]

    def _train(self, version: Version, former: Version | None = None) -> float:
        trained = self.learner.train(
            self.labels[: version.labels],
            seed=version.seed,
            former=self.model_of(former) if former else None,
        )
        version.model = trained.model
        self.trainings += 1
        return trained.seconds

    def _drop_models(self) -> None:
        """Drop models that will hardly be needed again; if one is, it is trained again."""
        newest = self.newest()
        first = newest.number if newest else 0
        in_order = self.setting.arrangement.model_choice == "latest"
        for version in self.published[:-_COMMITTEE_CANDIDATES]:
            if version is not newest and (not in_order or version.number < first):
                version.model = None


def _published_at(version: Version) -> float:
    return version.published_at


def _labels(version: Version) -> tuple[int, int]:
    return version.labels, version.number


def _accuracy(version: Version) -> tuple[float, int]:
    return version.accuracy, version.number
