"""One worker of the paper: its strategy, and what it puts into S."""

import time
from collections.abc import Sequence

import torch

from al_engine import rules
from al_engine.pools import processes
from al_engine.pools.processes import Part
from al_engine.pools.query import OpenQuery, Pick
from al_engine.roles.crew import Crew
from al_engine.roles.newest_model import Scored
from al_engine.strategies.ranking import Ranking, Taken


class Selector:
    """Worker j: selects S_j from D_j (paper, equation 2)."""

    def __init__(self, crew: Crew, part: Part) -> None:
        self.crew = crew
        self.part = part
        self._generator = torch.Generator().manual_seed(part.id)
        self.ranking = Ranking(part.strategy, generator=self._generator)
        self._told: tuple[str, int] = ("", 0)
        self._told_at = 0.0
        self._depth = 0

    def strategy(self, *, model: bool) -> str:
        """The strategy that it uses with a model, or before there is one."""
        return rules.in_use(self.part.strategy, model=model)

    def is_to_look(self, need: int, *, version_id: int | None, refresh: bool) -> bool:
        """Whether it wants a pass over its images with this version, None before the first."""
        return rules.is_to_look(
            self.part.strategy,
            model=version_id is not None,
            need=need,
            ahead=self.ranking.ahead,
            ranked=self.ranking.ranked,
            outdated=self.ranking.version != version_id,
            refresh=refresh,
        )

    def refill(
        self,
        waiting: Sequence[OpenQuery],
        need: int,
        scored: Scored | None,
        *,
        version_id: int | None,
        taken: Taken,
    ) -> None:
        """Add `need` queries, and after a new pass replace those it would not choose.

        `waiting` are this worker's open queries that nobody touched. Each added query is an
        audit with the campaign's audit rate: drawn uniformly from D_j, asked of no model, and
        never replaced, so that audit answers are a fair sample of D. `taken` is what all workers
        of this process chose lately.
        """
        chance = torch.rand(need, generator=self._generator)
        audits = int((chance < self.crew.campaign.audit_rate).sum())
        wanted = need - audits
        model, ahead = version_id is not None, self.ranking.ahead
        if scored is None and rules.is_at_random(self.part.strategy, model=model, ahead=ahead):
            self.crew.put(self.part, self.crew.draw(self.part, active=wanted, audits=audits))
            return
        picks = self.crew.draw(self.part, active=0, audits=audits)
        withdraw: list[int] = []
        confirmed: list[tuple[int, Pick]] = []
        if scored is not None:
            active = {each.image_id: each.query_id for each in waiting if each.purpose == "active"}
            plan = self.ranking.replan(
                scored.image_ids,
                scored.evidence,
                strategy=self.strategy(model=model),
                version=version_id,
                active=active,
                waiting=len(waiting),
                wanted=wanted,
                taken=taken,
            )
            wanted = plan.add
            withdraw = [active[image_id] for image_id in plan.withdraw]
            confirmed = [(active[each], self._pick(each, score)) for each, score in plan.confirmed]
        audited = {pick.image_id for pick in picks}
        picks += [self._pick(*pair) for pair in self.ranking.take(wanted, but=audited, taken=taken)]
        self.crew.put(self.part, picks, withdraw, confirmed)

    def _pick(self, image_id: int, score: float) -> Pick:
        return Pick(image_id, self.ranking.strategy, score, self.ranking.version)

    def tell(self, depth: int, version: int | None) -> None:
        """Tell people what this worker aims at."""
        self._depth = depth
        if not rules.asks_model(self.part.strategy):
            self.say("selecting at random")
        elif version is None:
            how = self.part.strategy if self.ranking.ahead else "at random"
            self.say(f"selecting {how} before the first model")
        else:
            self.say(f"selecting with version {version}")

    def say(self, what: str) -> None:
        """Tell people what this worker does now; a mere change of depth once a second."""
        now = time.monotonic()
        if (what, self._depth) == self._told or (what == self._told[0] and now - self._told_at < 1):
            return
        self._told, self._told_at = (what, self._depth), now
        # A worker that is at work is over whatever ended the process before it.
        processes.report(process_id=self.part.id, state=what, depth=self._depth, error="")
