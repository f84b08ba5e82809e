"""The workers: take g*, score D_j, put the selection into S, repeat (paper, section 3.1).

Their decisions are those of the product: how deep S is (`al_engine/decisions/refill.py`), when to
look at D_j (`al_engine/decisions/rules.py`), and what to add and withdraw
(`al_engine/strategies/ranking.py`). There are no audits.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from al_engine.decisions import rules
from al_engine.decisions.refill import POLL_SECONDS, Aim, AnswerRate, aim
from al_engine.strategies.ranking import Ranking, Replanned, Taken
from al_lab.config.settings import Clock, Setting
from al_lab.simulation.seeds import python_random, torch_generator
from al_lab.simulation.timeline import Kind, Timeline
from al_lab.simulation.versions import Version, Versions
from al_lab.simulation.world import Rows, World


def pass_seconds(clock: Clock, images: int, measured: float) -> float:
    """How long a pass over so many images takes on the virtual clock."""
    if clock.scoring is not None:
        return clock.scoring + clock.scoring_per_image * images
    return measured


@dataclass(slots=True)
class _Worker:
    number: int
    strategy: str
    ranking: Ranking
    chance: random.Random
    busy: bool = False
    pass_seconds: float = 0.0
    followed: Version | None = None  # the g* of its last decision


@dataclass(frozen=True, slots=True)
class _Round:
    """What a worker does next:

    look at these rows, or, where they are None, just add `need` queries.
    """

    worker: _Worker
    need: int
    gives_way: bool
    rows: Rows | None


class Workers:
    """The k workers of an asynchronous campaign."""

    def __init__(
        self,
        setting: Setting,
        *,
        seed: int,
        strategies: Sequence[str],
        world: World,
        versions: Versions,
        timeline: Timeline,
        rate: AnswerRate,
    ) -> None:
        self._setting = setting
        self._world = world
        self._versions = versions
        self._timeline = timeline
        self._rate = rate
        self._taken = Taken() if setting.arrangement.filtered else None
        self._taken_of: Version | None = None
        self._all = [
            _Worker(
                number,
                strategy,
                Ranking(strategy, generator=torch_generator(seed, "worker", number)),
                python_random(seed, "draw", number),
            )
            for number, strategy in enumerate(strategies)
        ]

    def begin(self) -> bool:
        """Every idle worker does what it has to do; returns whether any had something to do."""
        newest = self._versions.newest()
        if newest is not self._taken_of:
            if self._taken is not None:
                self._taken.clear()
            self._taken_of = newest
        rounds = [
            due
            for worker in self._all
            if not worker.busy and (due := self._due(worker, newest)) is not None
        ]
        looking = [each.rows for each in rounds if each.rows is not None]
        if looking:
            # Predicted together, as the workers of one process do.
            self._versions.predictions(newest).predict_missing(np.concatenate(looking))
        done = [self._do(each, newest) for each in rounds]
        return any(done)

    def _due(self, worker: _Worker, newest: Version | None) -> _Round | None:
        """What a worker has to do now; None for nothing, or where D_j is empty."""
        model = newest is not None
        refresh = model and self._setting.arrangement.refresh and newest is not worker.followed
        wanted = self._aim(worker)
        version = None if newest is None else newest.number
        looks = rules.is_to_look(
            worker.strategy,
            model=model,
            need=wanted.need,
            ahead=worker.ranking.ahead,
            ranked=worker.ranking.ranked,
            outdated=worker.ranking.version != version,
            refresh=refresh,
        )
        worker.followed = newest
        if not looks:
            return _Round(worker, wanted.need, False, None) if wanted.need else None
        gives_way = rules.gives_way(model=model, refresh=refresh)
        rows = self._world.unlabeled_of(worker.number)
        if gives_way:
            waiting = np.fromiter(self._world.untouched[worker.number], dtype=np.int64)
            rows = np.concatenate([rows, waiting])
        return _Round(worker, wanted.need, gives_way, rows) if rows.size else None

    def _aim(self, worker: _Worker) -> Aim:
        arrangement = self._setting.arrangement
        return aim(
            batch_size=arrangement.batch_size,
            workers=arrangement.workers,
            index=worker.number,
            open_queries=len(self._world.untouched[worker.number]),
            answers_per_second=self._rate.per_second(at=self._timeline.seconds),
            refill_seconds=POLL_SECONDS + worker.pass_seconds,
            floor=arrangement.depth_floor,
        )

    def _do(self, due: _Round, newest: Version | None) -> bool:
        worker, ranking = due.worker, due.worker.ranking
        if due.rows is not None:
            self._look(due, due.rows, newest)
            return True
        model = newest is not None
        if rules.is_at_random(worker.strategy, model=model, ahead=ranking.ahead):
            return self._draw(worker, due.need)
        return self._add(worker, due.need)

    def _look(self, due: _Round, rows: Rows, newest: Version | None) -> None:
        """A pass: D_j is scored and ranked now, and S changes when the pass ends."""
        worker, began = due.worker, time.perf_counter()
        predictions = self._versions.predictions(newest)
        strategy = rules.in_use(worker.strategy, model=newest is not None)
        waiting = list(self._world.untouched[worker.number])
        plan = worker.ranking.replan(
            rows.tolist(),
            predictions.evidence(rows, strategy, self._world.labels),
            strategy=strategy,
            version=None if newest is None else newest.number,
            active=waiting,
            waiting=len(waiting),
            wanted=due.need,
            taken=self._taken,
            embeddings_of=predictions.embeddings_of(rows),
        )
        selecting = time.perf_counter() - began
        measured = predictions.seconds_per_image * len(rows) + selecting
        seconds = pass_seconds(self._setting.clock, len(rows), measured)
        worker.pass_seconds = seconds
        worker.busy = True
        # People come when S is full, so what happens before the clock first moves takes no time.
        self._timeline.schedule(
            seconds if self._timeline.seconds else 0.0,
            Kind.PASSED,
            lambda: self._passed(worker, plan),
        )

    def _passed(self, worker: _Worker, plan: Replanned) -> None:
        worker.busy = False
        for row in plan.withdraw:
            self._world.withdraw(row, worker.number)
        for row, score in plan.confirmed:
            self._world.confirm(
                row,
                worker.number,
                strategy=worker.ranking.strategy,
                score=score,
                version=worker.ranking.version,
                at=self._timeline.seconds,
            )
        self._add(worker, plan.add)

    def _add(self, worker: _Worker, count: int) -> bool:
        """Put the next images of the ranking into S; returns whether there were any."""
        ranking = worker.ranking
        found = ranking.take(count, taken=self._taken)
        for row, score in found:
            self._put(worker, row, ranking.strategy, score, ranking.version)
        return bool(found)

    def _draw(self, worker: _Worker, count: int) -> bool:
        """Put random images of D_j into S; returns whether there were any."""
        rows = self._world.unlabeled_of(worker.number).tolist()
        found = worker.chance.sample(rows, min(count, len(rows)))
        for row in found:
            self._put(worker, row, "random", None, None)
        return bool(found)

    def _put(
        self, worker: _Worker, row: int, strategy: str, score: float | None, version: int | None
    ) -> None:
        self._world.put(
            row,
            worker=worker.number,
            strategy=strategy,
            score=score,
            version=version,
            at=self._timeline.seconds,
        )
