"""One campaign on the virtual clock: servers, workers and people around D, S and L.

At each instant, versions are published first, then answers are stored, then passes end. Then idle
servers and workers begin; what takes no time ends at the same instant. People take queries when
nothing else happens at that instant. A campaign begins with a full S: version 0 is trained on the
initial labels, and the first passes are made, before time 0. Without initial labels it begins as in
the product: with random images, or with typical ones.

With given durations a run depends on its setting and seed, and, as far as they change the last
digits of a training, on the kind of device and the number of threads. Otherwise durations are
measured on this machine: of trainings, predictions and choices, not of evaluations.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from al_engine.decisions.dealing import deal
from al_engine.decisions.refill import AnswerRate
from al_lab.config.checking import check_with_pool
from al_lab.config.settings import Setting
from al_lab.data.datasets import DataSet, Images, draw
from al_lab.simulation.answers import Answers
from al_lab.simulation.cells import assign_owners
from al_lab.simulation.evaluation import Evaluator
from al_lab.simulation.learner import Learner, Predictor
from al_lab.simulation.people import People
from al_lab.simulation.seeds import derive_seed, python_random, torch_generator
from al_lab.simulation.servers import Servers
from al_lab.simulation.synchronous import Rounds
from al_lab.simulation.tally import Tally
from al_lab.simulation.timeline import Timeline
from al_lab.simulation.versions import Versions
from al_lab.simulation.workers import Workers
from al_lab.simulation.world import Query, World

PACE_WINDOW_SECONDS: Final = 60.0
"""The time constant of the measured pace, which in a simulation never changes abruptly."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that a person took.

    `staleness`: labels of L at that time that its version was not trained on; None without a model.
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

    `progress` gets the share of the budget that is labeled, `watch` each query that is taken. With
    given durations a version is trained when a worker needs its predictions; `eager` trains every
    version, with the same result. Raises ValueError for a setting that makes no sense, and what
    strategies and trainings raise.
    """
    _Campaign(
        _Inputs(
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
    ).run()


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What `simulate` was called with."""

    setting: Setting
    seed: int
    data_set: DataSet
    answers: Answers
    device: torch.device
    record: Callable[[Event], None]
    progress: Callable[[float], None]
    watch: Callable[[Asked], None] | None
    eager: bool


class _Campaign:
    """All parts of one campaign, connected with each other."""

    def __init__(self, inputs: _Inputs) -> None:
        self._began = time.process_time()
        self._inputs, self._setting, self._seed = inputs, inputs.setting, inputs.seed
        self._pool, test = draw(inputs.data_set, self._setting.data, seed=self._seed)
        check_with_pool(self._setting, len(self._pool))
        self._timeline, self._tally = Timeline(), Tally()
        # People keep one pace throughout.
        self._rate = AnswerRate(started=0.0, time_constant_s=PACE_WINDOW_SECONDS)
        arrangement = self._setting.arrangement
        strategies = deal(
            arrangement.strategies, arrangement.workers, derive_seed(self._seed, "dealing")
        )
        self._world = self._make_world(strategies)
        images = self._make_predictor(self._pool.images, "looking")
        learner = Learner(self._setting.model, self._pool.shows, images)
        self._versions = self._make_versions(learner)
        self._servers = self._make_servers()
        self._begin_machines = self._make_machines(strategies)
        self._people = self._make_people()
        self._evaluator = self._make_evaluator(learner, self._make_predictor(test, "test"))

    def _make_world(self, strategies: Sequence[str]) -> World:
        arrangement = self._setting.arrangement
        return World(
            assign_owners(self._pool, arrangement, seed=self._seed),
            workers=arrangement.workers,
            answers_per_image=self._setting.people.answers_per_image,
            take=arrangement.take,
            comparable=len(set(strategies)) == 1,
            chance=python_random(self._seed, "people"),
        )

    def _make_predictor(self, images: Images, purpose: str) -> Predictor:
        return Predictor(
            images,
            classes=len(self._inputs.data_set.classes),
            device=self._inputs.device,
            generator=torch_generator(self._seed, purpose),
        )

    def _make_versions(self, learner: Learner) -> Versions:
        by_validation = self._setting.arrangement.model_choice == "best_validation"
        validation = (
            self._make_predictor(self._pool.validation, "validation") if by_validation else None
        )
        labels, eager = self._world.labels, self._inputs.eager
        return Versions(self._setting, learner, validation, labels, eager)

    def _make_servers(self) -> Servers:
        return Servers(
            self._setting,
            seed=self._seed,
            classes=len(self._inputs.data_set.classes),
            total=len(self._pool),
            versions=self._versions,
            labels=self._world.labels,
            timeline=self._timeline,
            record=self._inputs.record,
        )

    def _make_machines(self, strategies: Sequence[str]) -> Callable[[], bool]:
        """What starts idle servers and workers; it returns whether any had something to do."""
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

    def _make_people(self) -> People:
        return People(
            self._setting.people,
            world=self._world,
            timeline=self._timeline,
            tally=self._tally,
            taken=self._on_taken,
            answered=self._on_answered,
        )

    def _make_evaluator(self, learner: Learner, test: Predictor) -> Evaluator:
        return Evaluator(
            self._setting,
            seed=self._seed,
            world=self._world,
            learner=learner,
            versions=self._versions,
            test=test,
            people=self._people,
            tally=self._tally,
            record=self._inputs.record,
        )

    def run(self) -> None:
        """From the initial labels to the budget, or until nothing is left to ask."""
        self._label_initial()
        while len(self._world.labels) < self._setting.labels.budget and (
            self._timeline.run_next()
            or self._begin_machines()
            or self._people.take()
            or self._timeline.advance()
        ):
            pass
        self._people.end()
        self._finish()

    def _label_initial(self) -> None:
        """Label the initial images, publish version 0 and evaluate it."""
        initial = self._setting.labels.initial
        drawn = torch.randperm(len(self._pool), generator=torch_generator(self._seed, "initial"))
        for row in drawn[:initial].tolist():
            given: list[int] = []
            for person in range(self._setting.people.answers_per_image):
                given.append(self._ask(row, person, given))
            self._world.label(row, given, None)
        if initial:
            self._servers.publish_first()
            self._evaluator.evaluate(0.0)

    def _ask(self, row: int, person: int, before: Sequence[int]) -> int:
        """A person's answer: the same in every arm, if as many people were asked before."""
        shown = int(self._pool.shows[row])
        images = self._pool.images
        return self._inputs.answers.answer(
            int(images.original[shown]),
            int(images.truth[shown]),
            person,
            torch_generator(self._seed, "answer", row, len(before)),
            before,
        )

    def _staleness(self, query: Query) -> int | None:
        if query.version is None:
            return None
        return len(self._world.labels) - self._versions.published[query.version].labels

    def _on_taken(self, person: int, query: Query) -> None:
        if self._inputs.watch is not None:
            self._inputs.watch(
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

    def _on_answered(self, person: int, query: Query) -> None:
        now = self._timeline.seconds
        self._rate.observe(1, at=now)
        self._tally.count_answer(
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
        self._inputs.progress((done - labels.initial) / (labels.budget - labels.initial))

    def _finish(self) -> None:
        images, labels = self._pool.images, self._world.labels
        shown = self._pool.shows[[label.row for label in labels]]
        answers = torch.tensor([label.answer for label in labels])
        self._inputs.record(
            {
                "event": "finished",
                "at": self._timeline.seconds,
                "labels": len(labels),
                "versions": len(self._versions.published),
                **self._tally.summary(),
                "distinct": len(set(shown.tolist())),
                "wrong": int((answers != images.truth[shown]).sum()),
                "trainings": self._versions.trainings,
                "cpu_seconds": time.process_time() - self._began,
            }
        )
