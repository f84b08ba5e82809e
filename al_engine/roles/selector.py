"""One worker of the paper: its strategy, and what it would ask next."""

import time
from collections.abc import Sequence

import torch

from al_engine.decisions import rules
from al_engine.pools import processes
from al_engine.pools.processes import Part
from al_engine.pools.rankings import Look, RankingProgress
from al_engine.pools.supply import OpenQuery
from al_engine.roles.newest_model import Scored
from al_engine.strategies.ranking import Ranking, Taken

_SAY_EVERY_SECONDS = 1.0


class Selector:
    """Worker j: selects S_j from D_j (paper, equation 2)."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._ranking = Ranking(part.strategy, generator=torch.Generator().manual_seed(part.id))
        # What the last look offered, best first, and how much of it S has taken so far.
        self._offered: list[int] = []
        self._asked = 0
        self._told = ""
        self._told_at = 0.0

    def strategy(self, *, model: bool) -> str:
        """The strategy that it uses with a model, or before there is one."""
        return rules.in_use(self.part.strategy, model=model)

    def is_to_look(
        self, progress: RankingProgress, need: int, *, version_id: int | None, refresh: bool
    ) -> bool:
        """Whether it wants a pass over its images with this version, None before the first."""
        return rules.is_to_look(
            self.part.strategy,
            model=version_id is not None,
            need=need,
            ahead=progress.left,
            ranked=self._ranking.ranked,
            outdated=self.is_outdated(version_id),
            refresh=refresh,
        )

    def is_outdated(self, version_id: int | None) -> bool:
        """Whether another version ranked, or none did."""
        return not self._ranking.ranked or self._ranking.version != version_id

    def asked(self, progress: RankingProgress, version_id: int | None, taken: Taken) -> None:
        """Learn what S has taken of what was offered; copies of it are not to be asked.

        What another version offered is of no use: that one embeds images elsewhere.
        """
        if self.is_outdated(version_id):
            return
        fresh = self._offered[self._asked : progress.used]
        embeddings = self._ranking.embeddings_of(fresh)
        if embeddings is not None:
            taken.add(embeddings)
        self._asked = max(self._asked, progress.used)

    def look(
        self,
        waiting: Sequence[OpenQuery],
        scored: Scored,
        *,
        version_id: int | None,
        ahead: int,
        taken: Taken,
    ) -> Look:
        """What it would ask next, after a pass, and which open queries it would not ask now.

        `waiting` are its open queries that nobody touched and that may be replaced. `ahead` images
        are likely to be asked before the next pass: they are no copies of one another, nor of what
        is `taken`, which they join.
        """
        active = {each.image_id: each.query_id for each in waiting}
        plan = self._ranking.replan(
            scored.image_ids,
            scored.evidence,
            strategy=self.strategy(model=version_id is not None),
            version=version_id,
            active=active,
            waiting=len(waiting),
            wanted=0,
            taken=taken,
            ahead=ahead,
        )
        offered = self._ranking.take(plan.add + ahead, taken=taken)
        offered += self._ranking.take(self._ranking.ahead)
        self._offered, self._asked = [image_id for image_id, _ in offered], 0
        return Look(
            worker_id=self.part.id,
            strategy=self._ranking.strategy,
            model_version_id=version_id,
            images=self._offered,
            scores=[score for _, score in offered],
            withdraw=[active[image_id] for image_id in plan.withdraw],
            confirmed=[active[image_id] for image_id, _ in plan.confirmed],
            confirmed_scores=[score for _, score in plan.confirmed],
        )

    def tell(self, version: int | None) -> None:
        """Tell people what this worker selects with."""
        if not rules.asks_model(self.part.strategy):
            self.say("selecting at random")
        elif version is None:
            how = self.part.strategy if self._offered else "at random"
            self.say(f"selecting {how} before the first model")
        else:
            self.say(f"selecting with version {version}")

    def say(self, what: str) -> None:
        """Tell people what this worker does now."""
        if what == self._told:
            return
        self._told, self._told_at = what, time.monotonic()
        # A worker that is at work is over whatever ended the process before it.
        processes.report(process_id=self.part.id, state=what, error="")
