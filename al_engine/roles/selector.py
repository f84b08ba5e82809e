"""One worker of the paper: its strategy, and its ranking of the images to ask about next."""

from collections.abc import Sequence

import torch

from al_engine.decisions import rules
from al_engine.pools.processes import Part
from al_engine.pools.rankings import Look, RankingProgress
from al_engine.pools.supply import OpenQuery
from al_engine.roles.newest_model import Scored
from al_engine.strategies.ranking import Ranking, Taken


class Selector:
    """Worker j: selects S_j from D_j (paper, equation 2)."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self._ranking = Ranking(part.strategy, generator=torch.Generator().manual_seed(part.id))
        # Images that the last look offered, best first, and how many of them S has taken so far.
        self._offered: list[int] = []
        self._asked = 0
        # Whose embeddings that look compared: `NewestModel.embeds_by`.
        self._embedded_by: str | int | None = None

    def strategy(self, *, model: bool) -> str:
        """The strategy that this worker uses with a model, or before the first."""
        return rules.in_use(self.part.strategy, model=model)

    def is_to_look(
        self, progress: RankingProgress, need: int, *, version_id: int | None, refresh: bool
    ) -> bool:
        """Whether this worker wants a pass with `version_id`, None before the first model."""
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
        """Whether the ranking is by another version, or there is none yet."""
        return not self._ranking.ranked or self._ranking.version != version_id

    def asked(self, progress: RankingProgress, embedded_by: str | int | None, taken: Taken) -> None:
        """Add the offered images that S has taken to `taken`, so that no copies are asked about.

        Does nothing if the last look has not compared embeddings of `embedded_by`.
        """
        if not self._ranking.ranked or self._embedded_by != embedded_by:
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
        embedded_by: str | int | None,
        ahead: int,
        taken: Taken,
    ) -> Look:
        """The ranking after a pass, and the open queries to withdraw or confirm.

        `waiting`: this worker's open, untouched queries that may be replaced. `ahead`: number of
        images likely to be asked about before the next pass; these are no copies of one another or
        of `taken`, and are added to it.
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
        self._embedded_by = embedded_by
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

    def words(self, version: int | None) -> str:
        """What this worker selects with, for the live page."""
        if not rules.asks_model(self.part.strategy):
            return "selecting at random"
        if version is None:
            how = self.part.strategy if self._offered else "at random"
            return f"selecting {how} before the first model"
        return f"selecting with version {version}"
