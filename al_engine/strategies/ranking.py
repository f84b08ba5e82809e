"""One worker's ranking: what it would ask next, from one pass over its images to the next.

Images are known by whatever numbers the caller has for them. What a pass changes in S, and in
which order images go there, is decided here and nowhere else.
"""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from al_engine.refill import plan_refresh
from al_engine.strategies.batches import ALIKE, drop_near_duplicates
from al_engine.strategies.evidence import Evidence, select
from al_engine.strategies.registry import get

RANK_AHEAD: Final = 4
"""A pass ranks so many times what is needed, so that not every refill needs a pass."""
PASSES_COMPARED: Final = 64
"""Choices of a worker in one pass that later choices are compared with, so as not to copy them."""

Ranked = tuple[int, float]
"""An image and its score."""


@dataclass(frozen=True, slots=True)
class Replanned:
    """What a pass changes in S: how many of the ranking to add, and what becomes of open queries.

    `withdraw` are images that the strategy would not ask now; `confirmed` those that it would ask
    again, with what it says of them now.
    """

    add: int
    withdraw: tuple[int, ...]
    confirmed: tuple[Ranked, ...]


class Taken:
    """Embeddings of what workers chose lately by one model: what looks the same is asked last."""

    def __init__(self) -> None:
        self._passes: deque[Tensor] = deque(maxlen=PASSES_COMPARED)

    def clear(self) -> None:
        """Forget all, since another model embeds images elsewhere."""
        self._passes.clear()

    def copies_last(self, embeddings: Tensor, chosen: Tensor, count: int) -> list[int]:
        """Rows of the embeddings (n, d) as they were chosen, int64 (K,), but copies after others.

        The first `count` of those that are no copies are remembered. Copies stay: rather a copy
        than nothing, since whoever labels must not wait.
        """
        before = sum(len(each) for each in self._passes)
        known = torch.cat([*self._passes, embeddings])
        wanted = torch.cat([torch.arange(before), chosen + before])
        kept = drop_near_duplicates(known, wanted, threshold=ALIKE)
        kept = kept[kept >= before] - before
        self._passes.append(embeddings[kept[:count]])
        return list(dict.fromkeys([*kept.tolist(), *chosen.tolist()]))


class Ranking:
    """What a worker of one strategy ranked in its last pass and did not put into S yet.

    `strategy` is the one that ranked and `version` the model that it used, None before the first;
    `ranked` says whether there was a pass at all. Raises UnknownStrategy.
    """

    def __init__(self, strategy: str, *, generator: torch.Generator) -> None:
        get(strategy)  # a name that is not known is said at once
        self.strategy = strategy
        self.version: int | None = None
        self.ranked = False
        self._generator = generator
        self._ahead: deque[Ranked] = deque()  # best first

    @property
    def ahead(self) -> int:
        """How many images are ranked and not in S yet."""
        return len(self._ahead)

    def replan(
        self,
        image_ids: Sequence[int],
        evidence: Evidence,
        *,
        strategy: str,
        version: int | None,
        active: Collection[int],
        waiting: int,
        wanted: int,
        taken: Taken | None,
    ) -> Replanned:
        """Rank anew after a pass, by a strategy and with a model (None before there is one).

        `image_ids` are of the images that the evidence is about: of D_j, and of the open queries
        that may be replaced. `active` are images of this worker's open queries; of those that the
        pass did not see nobody can say anything, and they stay as they are. `waiting` queries are
        open in all and `wanted` are to be added. Copies of what was `taken` and of one another
        come last, unless that is None.
        """
        seen = set(image_ids)
        there = [each for each in active if each in seen]
        count = len(there) + wanted
        budget = max(waiting + wanted, 1) * RANK_AHEAD
        chosen = select(strategy, evidence, budget, generator=self._generator)
        score_of = dict(zip(chosen.indices.tolist(), chosen.scores.tolist(), strict=True))
        order = list(score_of)
        if taken is not None and evidence.embeddings is not None:
            order = taken.copies_last(evidence.embeddings, chosen.indices, count)
        ranking = [(image_ids[row], score_of[row]) for row in order]
        best = [image_id for image_id, _ in ranking[:count]]
        self.strategy, self.version, self.ranked = strategy, version, True
        open_now = set(there)
        self._ahead = deque(pair for pair in ranking if pair[0] not in open_now)
        plan = plan_refresh(open_ids=there, selected_ids=best)
        return Replanned(
            add=len(plan.add),
            withdraw=plan.withdraw,
            confirmed=tuple(pair for pair in ranking[:count] if pair[0] in open_now),
        )

    def take(self, count: int, *, but: Collection[int] = ()) -> list[Ranked]:
        """The next `count` images at most, best first, passing over some."""
        found: list[Ranked] = []
        while len(found) < count and self._ahead:
            pair = self._ahead.popleft()
            if pair[0] not in but:
                found.append(pair)
        return found
