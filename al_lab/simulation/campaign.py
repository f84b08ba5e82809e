"""One campaign on the virtual clock: servers, workers and people around D, S and L.

At each instant versions are published first, then answers land, then passes end; then servers and
workers that are idle begin, and what takes no time is over at once. Only when nothing more happens
do people take queries. The campaign begins with S filled: version 0 is trained on the initial
labels, and the first passes are made, before time 0. Without initial labels it begins as in the
product, at random or with what is typical.

With given durations a run depends on its setting and seed alone, and on the kind of device and the
number of threads as far as they change the last digits of a training. Else durations are those
measured on this machine while it runs: of trainings, of looking at images and of choosing, not of
evaluations.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from al_engine.dealing import deal
from al_engine.refill import AnswerRate
from al_lab.config.settings import Setting
from al_lab.data.datasets import DataSet, Images, draw
from al_lab.simulation.answers import Answers
from al_lab.simulation.cells import owners
from al_lab.simulation.evaluation import Evaluator
from al_lab.simulation.learner import Eyes, Learner
from al_lab.simulation.people import People
from al_lab.simulation.seeds import chance, derived, dice
from al_lab.simulation.servers import Servers
from al_lab.simulation.synchronous import Rounds
from al_lab.simulation.tally import Tally
from al_lab.simulation.timeline import Timeline
from al_lab.simulation.versions import Versions
from al_lab.simulation.workers import Workers
from al_lab.simulation.world import Query, World

STEADY_SECONDS: Final = 60.0
"""The pace is measured over so long: in a simulation it never changes all at once."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that a person took, and what was behind it at that time.

    `staleness`: labels of L that its version had not seen, None where no model was asked.
    """

    at: float
    person: int
    row: int
    version: int | None
    strategy: str
    worker: int
    staleness: int | None
    chosen_at: float


def simulate(
    setting: Setting,
    *,
    seed: int,
    data_set: DataSet,
    answers: Answers,
    device: torch.device,
    record: Callable[[Event], None],
    progress: Callable[[float], None],
    watch: Callable[[Asked], None] | None = None,
    eager: bool = False,
) -> None:
    """Run one campaign; `record` gets its events as they happen, dicts that JSON can hold.

    `progress` gets the part of the budget that is labeled, `watch` each query that is taken. With
    given durations a version is trained when somebody looks at images with it; `eager` trains all
    of them, to the same result. Raises ValueError for a setting that makes no sense, and what
    strategies and trainings raise.
    """
    campaign = _Campaign(
        setting,
        seed=seed,
        data_set=data_set,
        answers=answers,
        device=device,
        record=record,
        progress=progress,
        watch=watch,
        eager=eager or setting.clock.training is None or setting.clock.scoring is None,
    )
    campaign.run()


class _Campaign:
    """All parts of one campaign, wired together."""

    def __init__(
        self,
        setting: Setting,
        *,
        seed: int,
        data_set: DataSet,
        answers: Answers,
        device: torch.device,
        record: Callable[[Event], None],
        progress: Callable[[float], None],
        watch: Callable[[Asked], None] | None,
        eager: bool,
    ) -> None:
        self._began = time.process_time()
        self._setting, self._seed, self._answers = setting, seed, answers
        self._record, self._progress, self._watch = record, progress, watch
        arrangement, classes = setting.arrangement, len(data_set.classes)
        self._pool, test = draw(data_set, setting.data, seed=seed)
        _check(setting, len(self._pool))
        strategies = deal(arrangement.strategies, arrangement.workers, derived(seed, "dealing"))

        def eyes(images: Images, purpose: str) -> Eyes:
            return Eyes(images, classes=classes, device=device, generator=dice(seed, purpose))

        self._timeline, self._tally = Timeline(), Tally()
        # Its people keep one pace throughout.
        self._rate = AnswerRate(started=0.0, time_constant_s=STEADY_SECONDS)
        self._world = World(
            owners(self._pool, arrangement, seed=seed),
            workers=arrangement.workers,
            answers_per_image=setting.people.answers_per_image,
            take=arrangement.take,
            comparable=len(set(strategies)) == 1,
            chance=chance(seed, "people"),
        )
        learner = Learner(setting.model, self._pool.shows, eyes(self._pool.images, "looking"))
        by_validation = arrangement.model_choice == "best_validation"
        validation = eyes(self._pool.validation, "validation") if by_validation else None
        self._versions = Versions(setting, learner, validation, self._world.labels, eager)
        self._servers = Servers(
            setting,
            seed=seed,
            classes=classes,
            total=len(self._pool),
            versions=self._versions,
            labels=self._world.labels,
            timeline=self._timeline,
            record=record,
        )
        self._begin = self._machines(strategies)
        self._people = People(
            setting.people,
            world=self._world,
            timeline=self._timeline,
            tally=self._tally,
            taken=self._taken,
            answered=self._answered,
        )
        self._evaluator = Evaluator(
            setting,
            seed=seed,
            world=self._world,
            learner=learner,
            versions=self._versions,
            test=eyes(test, "test"),
            people=self._people,
            tally=self._tally,
            record=record,
        )

    def run(self) -> None:
        """From the initial labels to the budget, or until there is nothing left to ask."""
        self._label_initial()
        while len(self._world.labels) < self._setting.labels.budget and (
            self._timeline.happen()
            or self._begin()
            or self._people.take()
            or self._timeline.move_on()
        ):
            pass
        self._people.end()
        self._finish()

    def _machines(self, strategies: Sequence[str]) -> Callable[[], bool]:
        """What starts servers and workers that have something to do; it says whether any had."""
        servers = self._servers
        if self._setting.arrangement.mode == "synchronous":
            return Rounds(
                self._setting,
                seed=self._seed,
                strategies=strategies,
                world=self._world,
                versions=self._versions,
                servers=servers,
                timeline=self._timeline,
            ).begin
        workers = Workers(
            self._setting,
            seed=self._seed,
            strategies=strategies,
            world=self._world,
            versions=self._versions,
            timeline=self._timeline,
            rate=self._rate,
        )
        return lambda: any([servers.begin(), workers.begin()])

    def _label_initial(self) -> None:
        """The labels that are there at the start, by the same people, and what comes of them."""
        initial = self._setting.labels.initial
        drawn = torch.randperm(len(self._pool), generator=dice(self._seed, "initial"))
        for row in drawn[:initial].tolist():
            said: list[int] = []
            for person in range(self._setting.people.answers_per_image):
                said.append(self._ask(row, person, said))
            self._world.label(row, said, None)
        if initial:
            self._servers.publish_first()
            self._evaluator.evaluate(0.0)

    def _ask(self, row: int, person: int, before: Sequence[int]) -> int:
        """What a person says of an image: the same in every arm, if as many were asked before."""
        shown = int(self._pool.shows[row])
        images = self._pool.images
        return self._answers.answer(
            int(images.original[shown]),
            int(images.truth[shown]),
            person,
            dice(self._seed, "answer", row, len(before)),
            before,
        )

    def _staleness(self, query: Query) -> int | None:
        if query.version is None:
            return None
        return len(self._world.labels) - self._versions.published[query.version].labels

    def _taken(self, person: int, query: Query) -> None:
        if self._watch is not None:
            self._watch(
                Asked(
                    at=self._timeline.seconds,
                    person=person,
                    row=query.row,
                    version=query.version,
                    strategy=query.strategy,
                    worker=query.worker,
                    staleness=self._staleness(query),
                    chosen_at=query.chosen_at,
                )
            )

    def _answered(self, person: int, query: Query) -> None:
        now = self._timeline.seconds
        self._rate.observe(1, at=now)
        self._tally.answered(
            staleness=self._staleness(query),
            newer=0 if query.version is None else self._versions.newer_than(query.version, now),
            age=now - query.chosen_at,
        )
        if not self._world.answer(query, self._ask(query.row, person, query.answers)):
            return
        self._tally.chosen_by[query.strategy] += 1
        labels, done = self._setting.labels, len(self._world.labels)
        if self._evaluator.is_due():
            self._evaluator.evaluate(now)
        self._progress((done - labels.initial) / (labels.budget - labels.initial))

    def _finish(self) -> None:
        images, labels = self._pool.images, self._world.labels
        shown = self._pool.shows[[label.row for label in labels]]
        said = torch.tensor([label.said for label in labels])
        self._record(
            {
                "event": "finished",
                "at": self._timeline.seconds,
                "labels": len(labels),
                "versions": len(self._versions.published),
                **self._tally.summary(),
                "distinct": len(set(shown.tolist())),
                "wrong": int((said != images.truth[shown]).sum()),
                "trainings": self._versions.trainings,
                "cpu_seconds": time.process_time() - self._began,
            }
        )


def _check(setting: Setting, images: int) -> None:
    """Raise ValueError where a campaign could never end, or never begin."""
    labels, people = setting.labels, setting.people
    if not labels.initial < labels.budget <= images:
        raise ValueError(
            "A campaign goes from labels.initial to a larger labels.budget within its pool; they "
            f"are {labels.initial} and {labels.budget}, and the pool has {images} images."
        )
    if people.count < people.answers_per_image:
        raise ValueError(
            f"{people.answers_per_image} answers an image need as many people; there are "
            f"{people.count}."
        )
    if people.seconds_per_label <= 0:
        raise ValueError("people.seconds_per_label is above 0.")
    if setting.arrangement.mode == "synchronous" and not setting.arrangement.batch_size:
        raise ValueError("A synchronous campaign needs an arrangement.batch_size.")
