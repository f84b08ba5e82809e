"""g*: the versions that servers published, and the one that workers take (paper, section 3.1).

With given durations nothing needs a model before somebody looks at images with it, so it is
trained then; those that nobody looks at are never trained.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from al_engine import rules
from al_engine.architectures import Classifier
from al_lab.config.settings import Setting
from al_lab.simulation.learner import Eyes, Learner, Sight
from al_lab.simulation.world import Label

_RECENT: Final = 4 * rules.COMMITTEE
"""Versions among which a committee is looked for, as in the product."""


@dataclass(slots=True, eq=False)
class Version:
    """A model of the first `labels` labels of L, by a server; `number` once it is published."""

    server: int
    labels: int
    seed: int
    number: int = -1
    published_at: float = 0.0
    model: Classifier | None = None
    accuracy: float = 0.0  # on the validation images, where the choice asks for it


@dataclass(slots=True)
class Versions:
    """All versions, of `labels`, which is L. `eager` trains each one even if nobody asks for it."""

    setting: Setting
    learner: Learner
    validation: Eyes | None
    labels: Sequence[Label]
    eager: bool
    published: list[Version] = field(default_factory=list)
    trainings: int = 0
    _sight: tuple[int, Sight] | None = None
    _numbers: "count[int]" = field(default_factory=count)

    def begin(self, server: int, seed: int) -> tuple[Version, float | None]:
        """A training on L as it is now; the seconds it took, where it was done at once."""
        version = Version(server, len(self.labels), seed)
        # A warm start is from the newest version there is when it begins.
        warm = self.setting.model.warm_start != "scratch" and bool(self.published)
        if not (self.eager or warm):
            return version, None
        return version, self._train(version, self.published[-1] if warm else None)

    def publish(self, version: Version, at: float) -> None:
        """Let workers have it."""
        version.number, version.published_at = next(self._numbers), at
        self.published.append(version)
        if self.validation is not None:
            version.accuracy = self.validation.accuracy(self.model_of(version))
        self._forget()

    def newest(self) -> Version | None:
        """g*: the version that workers take now."""
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
        """Its model, trained now if it was not needed before."""
        if version.model is None:
            self._train(version)
        assert version.model is not None  # noqa: S101 - for the type checker
        return version.model

    def sight(self, version: Version | None) -> Sight:
        """What g* says of the images; before the first model, what they look like."""
        number = -1 if version is None else version.number
        if self._sight is None or self._sight[0] != number:
            model = None if version is None else self.model_of(version)
            self._sight = (number, Sight.of(self.learner, model, self._committee))
        return self._sight[1]

    def newer_than(self, number: int, at: float) -> int:
        """How many versions after this one were there before a time."""
        first = number + 1
        return bisect_left(self.published, at, lo=first, key=_published_at) - first

    def _old_enough(self, labels: int, lacking: int) -> list[Version]:
        return [v for v in self.published if not v.number or labels - v.labels >= lacking]

    def _committee(self) -> list[Classifier]:
        recent = self.published[: -_RECENT - 1 : -1]
        chosen = rules.committee(recent, rules.COMMITTEE, server_of=lambda version: version.server)
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

    def _forget(self) -> None:
        """Let go of models that nobody will ask for; should somebody do, they are trained anew."""
        newest = self.newest()
        first = newest.number if newest else 0
        in_order = self.setting.arrangement.model_choice == "latest"
        for version in self.published[:-_RECENT]:
            if version is not newest and (not in_order or version.number < first):
                version.model = None


def _published_at(version: Version) -> float:
    return version.published_at


def _labels(version: Version) -> tuple[int, int]:
    return version.labels, version.number


def _accuracy(version: Version) -> tuple[float, int]:
    return version.accuracy, version.number
