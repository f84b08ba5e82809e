"""One worker of the paper: its strategy, and what it puts into S."""

import time
from collections import deque
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from al_engine import strategies
from al_engine.pools import processes
from al_engine.pools.processes import Part
from al_engine.pools.query import OpenQuery, Pick
from al_engine.refill import plan_refresh
from al_engine.roles.crew import Crew
from al_engine.roles.newest_model import Scored

_RANK_AHEAD: Final = 4
"""A pass ranks so many times what is needed, so that not every refill needs a pass."""


_COLD: Final = {"typiclust": "margin"}
"""Strategies that choose before there is a model, and what takes over once there is one."""


class Selector:
    """Worker j: selects S_j from D_j (paper, equation 2)."""

    def __init__(self, crew: Crew, part: Part) -> None:
        self.crew = crew
        self.part = part
        strategies.get(part.strategy)  # a name that is not known is said at once
        self._generator = torch.Generator().manual_seed(part.id)
        # The best of the last pass that are not in S yet, best first.
        self._ranked: deque[tuple[int, float]] = deque()
        self._ranked_by = part.strategy
        self.has_ranked = False
        self._told: tuple[str, int] = ("", 0)
        self._told_at = 0.0
        self._depth = 0

    @property
    def uses_model(self) -> bool:
        """Random selection asks no model, and waits for none."""
        return self.part.strategy != "random"

    @property
    def is_cold(self) -> bool:
        """Whether it chooses before there is a model, too."""
        return self.part.strategy in _COLD

    def strategy(self, *, model: bool) -> str:
        """The strategy that it uses with a model, or before there is one."""
        return _COLD.get(self.part.strategy, self.part.strategy) if model else self.part.strategy

    @property
    def ahead(self) -> int:
        """How many images are ranked and not in S yet."""
        return len(self._ranked)

    def refill(
        self,
        waiting: Sequence[OpenQuery],
        need: int,
        scored: Scored | None,
        *,
        version_id: int | None,
        taken: deque[Tensor],
    ) -> None:
        """Add `need` queries, and after a new pass replace those it would not choose.

        `waiting` are this worker's open queries that nobody touched. Each added query is an
        audit with the campaign's audit rate: drawn uniformly from D_j, asked of no model, and
        never replaced, so that audit answers are a fair sample of D. `taken` has the embeddings
        (n, d) of what all workers of this process chose lately: what looks the same is not asked
        twice, and this worker's choice is added to it.
        """
        chance = torch.rand(need, generator=self._generator)
        audits = int((chance < self.crew.campaign.audit_rate).sum())
        wanted = need - audits
        if scored is None and (version_id is None or not self.uses_model):
            self.crew.put(self.part, self.crew.draw(self.part, active=wanted, audits=audits))
            return
        picks = self.crew.draw(self.part, active=0, audits=audits)
        audited = {pick.image_id for pick in picks}
        withdraw: list[int] = []
        confirmed: list[tuple[int, Pick]] = []
        if scored is not None:
            self._ranked_by = self.strategy(model=version_id is not None)
            wanted, withdraw, again = self._replan(waiting, wanted, scored, taken)
            confirmed = [
                (query_id, Pick(image_id, self._ranked_by, score, version_id))
                for query_id, image_id, score in again
            ]
        while wanted and self._ranked:
            image_id, score = self._ranked.popleft()
            if image_id not in audited:
                picks.append(Pick(image_id, self._ranked_by, score, version_id))
                wanted -= 1
        self.crew.put(self.part, picks, withdraw, confirmed)

    def tell(self, depth: int, version: int | None) -> None:
        """Tell people what this worker aims at."""
        self._depth = depth
        if not self.uses_model:
            self.say("selecting at random")
        elif version is None:
            how = self.part.strategy if self.is_cold and self._ranked else "at random"
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

    def _replan(
        self, waiting: Sequence[OpenQuery], wanted: int, scored: Scored, taken: deque[Tensor]
    ) -> tuple[int, list[int], list[tuple[int, int, float]]]:
        """Rank anew.

        Returns how many of the ranked to add, the queries to withdraw, and those to be asked
        again: query, image, score.
        """
        seen = set(scored.image_ids)
        # Open queries that were not scored (no refresh, or a file that is gone) stay as they are.
        active = {
            each.image_id: each.query_id
            for each in waiting
            if each.purpose == "active" and each.image_id in seen
        }
        count = len(active) + wanted
        ranked = self._rank(scored, max(len(waiting) + wanted, 1) * _RANK_AHEAD, count, taken)
        self._ranked = deque(pair for pair in ranked if pair[0] not in active)
        plan = plan_refresh(
            open_ids=list(active), selected_ids=[image_id for image_id, _ in ranked[:count]]
        )
        again = [(active[each], each, score) for each, score in ranked[:count] if each in active]
        return len(plan.add), [active[image_id] for image_id in plan.withdraw], again

    def _rank(
        self, scored: Scored, budget: int, count: int, taken: deque[Tensor]
    ) -> list[tuple[int, float]]:
        """The best images with their scores, best first, copies of one another last.

        The first `count` of them are added to `taken`.
        """
        evidence = scored.evidence
        self.has_ranked = True
        selection = strategies.select(self._ranked_by, evidence, budget, generator=self._generator)
        score_of = dict(zip(selection.indices.tolist(), selection.scores.tolist(), strict=True))
        order = list(score_of)
        if evidence.embeddings is not None and self.uses_model:
            before = sum(len(each) for each in taken)
            known = torch.cat([*taken, evidence.embeddings])
            wanted = torch.cat([torch.arange(before), selection.indices + before])
            kept = strategies.drop_near_duplicates(known, wanted, threshold=strategies.ALIKE)
            kept = kept[kept >= before] - before
            taken.append(evidence.embeddings[kept[:count]])
            # Rather a copy than nothing: whoever labels must not wait.
            order = list(dict.fromkeys([*kept.tolist(), *order]))
        return [(scored.image_ids[row], score_of[row]) for row in order]
