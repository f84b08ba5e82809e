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
from torch.nn.functional import normalize

from al_engine.decisions.refill import plan_refresh
from al_engine.strategies.batches import COPY_COSINE, drop_near_duplicates
from al_engine.strategies.evidence import Evidence, select
from al_engine.strategies.registry import get

RANK_AHEAD_FACTOR: Final = 4
"""A pass ranks so many times what is needed, so that not every refill needs a pass."""
ADDITIONS_COMPARED: Final = 256
"""Later choices are compared with this many additions to S, the newest, to avoid copies of them."""

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
    """Directions of the embeddings of what workers put into S lately by one model."""

    def __init__(self) -> None:
        self._directions: deque[Tensor] = deque(maxlen=ADDITIONS_COMPARED)

    def clear(self) -> None:
        """Forget all, since another model embeds images elsewhere."""
        self._directions.clear()

    def copy(self) -> "Taken":
        """The same memory, which goes on by itself."""
        other = Taken()
        other._directions.extend(self._directions)
        return other

    def add(self, embeddings: Tensor) -> None:
        """Remember images that go into S, by their embeddings (n, d)."""
        if embeddings.shape[0]:
            self._directions.append(normalize(embeddings.to(torch.float32), dim=1))

    def drop_copies(self, embeddings: Tensor, order: Tensor) -> Tensor:
        """`order`, int64 rows of the embeddings (n, d), without copies.

        A copy is nearly the same as something that was taken, or as a row before it.
        """
        if self._directions:
            directions = normalize(embeddings[order].to(torch.float32), dim=1)
            known = torch.cat([*self._directions])
            order = order[(directions @ known.T < COPY_COSINE).all(dim=1)]
        return drop_near_duplicates(embeddings, order, threshold=COPY_COSINE)


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
        # Of images ahead, copies of which are not to be asked.
        self._embeddings: dict[int, Tensor] = {}

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
        ahead: int = 0,
    ) -> Replanned:
        """Rank anew after a pass, by a strategy and with a model (None before there is one).

        `image_ids` are of the images that the evidence is about: of D_j, and of the open queries
        that may be replaced. `active` are images of this worker's open queries; of those that the
        pass did not see nobody can say anything, and they stay as they are. `waiting` queries are
        open in all, `wanted` are to be added now and `ahead` before the next pass. Copies of what
        was `taken` and of one another are ranked only where all images together have too few
        others, unless that is None.
        """
        seen = set(image_ids)
        there = [each for each in active if each in seen]
        count = len(there) + wanted
        budget = max(waiting + wanted, ahead, 1) * RANK_AHEAD_FACTOR
        enough = max(count, len(there) + ahead)
        scores, others, copies = self._rank(strategy, evidence, budget, enough, taken)
        rows = [*others, *copies]
        best = [image_ids[row] for row in rows[:count]]
        self.strategy, self.version, self.ranked = strategy, version, True
        open_now = set(there)
        self._ahead = deque((image_ids[r], scores[r]) for r in rows if image_ids[r] not in open_now)
        confirmed = [row for row in rows[:count] if image_ids[row] in open_now]
        self._embeddings = {}
        if taken is not None and evidence.embeddings is not None:
            taken.add(evidence.embeddings[confirmed])
            # A copy of these rows, so that those of the whole pass can go.
            kept = evidence.embeddings[others]
            self._embeddings = {
                image_ids[row]: each for row, each in zip(others, kept, strict=True)
            }
        plan = plan_refresh(open_ids=there, selected_ids=best)
        return Replanned(
            add=len(plan.add),
            withdraw=plan.withdraw,
            confirmed=tuple((image_ids[row], scores[row]) for row in confirmed),
        )

    def embeddings_of(self, image_ids: Sequence[int]) -> Tensor | None:
        """The embeddings (n, d) of those of these images that are ranked, and no copies, if any."""
        known = [self._embeddings[image] for image in image_ids if image in self._embeddings]
        return torch.stack(known) if known else None

    def take(
        self, count: int, *, but: Collection[int] = (), taken: Taken | None = None
    ) -> list[Ranked]:
        """The next `count` images at most, best first, passing over some.

        Passed over are, too, copies of what was `taken` since they were ranked, unless copies are
        all that there is; what is returned counts as taken.
        """
        found: list[Ranked] = []
        while len(found) < count and self._ahead:
            some: list[Ranked] = []
            while len(found) + len(some) < count and self._ahead:
                pair = self._ahead.popleft()
                if pair[0] not in but:
                    some.append(pair)
            found += some if taken is None else self._without_copies(some, taken)
        return found

    def _without_copies(self, some: list[Ranked], taken: Taken) -> list[Ranked]:
        """Those that are no copies of what was taken, or were ranked as copies for want of others.

        None is a copy of another one. They count as taken from now on.
        """
        known = [image for image, _ in some if image in self._embeddings]
        if not known:
            return some
        embeddings = torch.stack([self._embeddings[image] for image in known])
        kept = taken.drop_copies(embeddings, torch.arange(len(known)))
        taken.add(embeddings[kept])
        wanted = {known[row] for row in kept.tolist()}
        return [pair for pair in some if pair[0] in wanted or pair[0] not in self._embeddings]

    def _rank(
        self, strategy: str, evidence: Evidence, budget: int, enough: int, taken: Taken | None
    ) -> tuple[dict[int, float], list[int], list[int]]:
        """Scores by row, the rows that are no copies, and the copies, best first.

        Where images repeat, the best are copies of a few: then more rows are ranked, until `enough`
        are no copies. Copies are returned only where all rows were ranked.
        """
        count = evidence.probabilities.shape[0]
        while True:
            chosen = select(strategy, evidence, min(budget, count), generator=self._generator)
            order = chosen.indices
            scores = dict(zip(order.tolist(), chosen.scores.tolist(), strict=True))
            if taken is None or evidence.embeddings is None:
                return scores, list(scores), []
            others = taken.drop_copies(evidence.embeddings, order).tolist()
            if budget >= count:
                # Better a copy than nothing: people must not wait.
                known = set(others)
                return scores, others, [row for row in scores if row not in known]
            if len(others) >= enough:
                return scores, others, []
            budget *= RANK_AHEAD_FACTOR
