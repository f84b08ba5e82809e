"""The usual loop of active learning: train on all of L, score all of D, ask a batch, repeat.

Everybody waits for the next batch. A single strategy chooses from all of D; several strategies
choose each from their worker's part, as in the asynchronous campaign. Scoring is divided among as
many machines as there are workers, so that the two modes differ in waiting alone.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from al_engine.decisions import rules
from al_engine.decisions.refill import share
from al_engine.strategies.ranking import Ranking, Taken
from al_lab.config.settings import Setting
from al_lab.simulation.seeds import python_random, torch_generator
from al_lab.simulation.servers import Servers
from al_lab.simulation.timeline import Kind, Timeline
from al_lab.simulation.versions import Version, Versions
from al_lab.simulation.workers import pass_seconds
from al_lab.simulation.world import Rows, World


@dataclass(slots=True)
class _Part:
    """A strategy and what it chooses from: the images of a worker, or all (None)."""

    strategy: str
    worker: int | None
    ranking: Ranking
    chance: random.Random


@dataclass(frozen=True, slots=True)
class _Chosen:
    row: int
    strategy: str
    score: float | None
    version: int | None


class Rounds:
    """What trains and chooses in a synchronous campaign."""

    def __init__(
        self,
        setting: Setting,
        *,
        seed: int,
        strategies: Sequence[str],
        world: World,
        versions: Versions,
        servers: Servers,
        timeline: Timeline,
    ) -> None:
        self._setting = setting
        self._world = world
        self._versions = versions
        self._servers = servers
        self._timeline = timeline
        self._scoring = False
        alone = len(set(strategies)) == 1
        self._parts = [
            _Part(
                strategy,
                None if alone else worker,
                Ranking(strategy, generator=torch_generator(seed, "worker", worker)),
                python_random(seed, "draw", worker),
            )
            for worker, strategy in enumerate(strategies[:1] if alone else strategies)
        ]

    def begin(self) -> bool:
        """Begin the next step once the batch is answered; returns whether there was one."""
        if self._scoring or self._servers.training or self._world.queries:
            return False
        labels, published = len(self._world.labels), self._versions.published
        if labels and (not published or published[-1].labels < labels):
            self._servers.train()
            return True
        if not self._world.unlabeled.size:
            return False
        self._choose(self._versions.newest())
        return True

    def _choose(self, newest: Version | None) -> None:
        """A pass over all of D; the batch is put into S when it ends."""
        began = time.perf_counter()
        left = self._setting.labels.budget - len(self._world.labels)
        size = min(self._setting.arrangement.batch_size, left)
        taken = Taken() if self._setting.arrangement.filtered else None
        batch: list[_Chosen] = []
        looked = False
        for index, part in enumerate(self._parts):
            count = share(size, workers=len(self._parts), index=index)
            rows = self._rows_of(part)
            if not count or not rows.size:
                continue
            strategy = rules.in_use(part.strategy, model=newest is not None)
            if rules.asks_model(strategy) if newest else rules.is_cold(strategy):
                looked = True
                batch += self._ranked(part, strategy, rows, count, newest, taken)
            else:
                drawn = part.chance.sample(rows.tolist(), min(count, rows.size))
                batch += [_Chosen(row, "random", None, None) for row in drawn]
        seconds = self._pass_seconds(newest, time.perf_counter() - began) if looked else 0.0
        self._scoring = True
        # As in an asynchronous campaign, people come when S is full.
        self._timeline.schedule(
            seconds if self._timeline.seconds else 0.0, Kind.PASSED, lambda: self._put(batch)
        )

    def _rows_of(self, part: _Part) -> Rows:
        world = self._world
        return world.unlabeled if part.worker is None else world.unlabeled_of(part.worker)

    def _ranked(
        self,
        part: _Part,
        strategy: str,
        rows: Rows,
        count: int,
        newest: Version | None,
        taken: Taken | None,
    ) -> list[_Chosen]:
        predictions = self._versions.predictions(newest)
        version = None if newest is None else newest.number
        part.ranking.replan(
            rows.tolist(),
            predictions.evidence(rows, strategy, self._world.labels),
            strategy=strategy,
            version=version,
            active=(),
            waiting=0,
            wanted=count,
            taken=taken,
            embeddings_of=predictions.embeddings_of(rows),
        )
        return [
            _Chosen(row, strategy, score, version)
            for row, score in part.ranking.take(count, taken=taken)
        ]

    def _pass_seconds(self, newest: Version | None, spent: float) -> float:
        """How long the largest part takes;

        `spent` is what predicting and choosing all parts took here.
        """
        parts = [self._world.unlabeled_of(worker).size for worker in range(self._workers)]
        predictions = self._versions.predictions(newest)
        looking = predictions.seconds_per_image * self._world.unlabeled.size
        measured = predictions.seconds_per_image * max(parts) + max(spent - looking, 0.0)
        return pass_seconds(self._setting.clock, max(parts), measured)

    @property
    def _workers(self) -> int:
        return self._setting.arrangement.workers

    def _put(self, batch: list[_Chosen]) -> None:
        self._scoring = False
        for each in batch:
            self._world.put(
                each.row,
                worker=int(self._world.owner[each.row]),
                strategy=each.strategy,
                score=each.score,
                version=each.version,
                at=self._timeline.seconds,
            )
