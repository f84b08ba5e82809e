"""One worker's ranking: the images it would ask about next, from one pass to the next.

Images are known by the caller's ids. What a pass changes in S, and in which order images go there,
is decided here and nowhere else.
"""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from al_engine.decisions.refill import plan_refresh
from al_engine.strategies.base import Embeddings
from al_engine.strategies.batches import COPY_COSINE, drop_near_duplicates
from al_engine.strategies.evidence import Evidence, select
from al_engine.strategies.registry import get

RANK_AHEAD_FACTOR: Final = 4
"""A pass ranks this many times the images needed, so that not every refill needs a pass."""
ADDITIONS_COMPARED: Final = 256
"""Later choices must be no copies of the newest additions to S: this many calls of `Taken.add`."""
IMAGES_COMPARED: Final = 4_096
"""And this many images, so that a pass takes no longer the more was taken."""

Ranked = tuple[int, float]
"""An image and its score."""

EmbeddingsOf = Callable[[Tensor], Tensor]
"""From rows of the evidence, int64 (n,), to embeddings, float (n, d)."""


@dataclass(frozen=True, slots=True)
class Replanned:
    """What a pass changes in S: how many ranked images to add, and what becomes of open queries.

    `withdraw`: images of open queries that the strategy no longer selects. `confirmed`: images of
    open queries that it selects again, with their new scores.
    """

    add: int
    withdraw: tuple[int, ...]
    confirmed: tuple[Ranked, ...]


class Taken:
    """Directions of the embeddings of images that workers put into S lately with one model.

    `cosine`: the cosine similarity from which on images are copies of one another.
    """

    def __init__(self, *, cosine: float = COPY_COSINE) -> None:
        self.cosine = cosine
        self._directions: deque[Tensor] = deque(maxlen=ADDITIONS_COMPARED)

    def clear(self) -> None:
        """Forget all: the embeddings of another model are not comparable."""
        self._directions.clear()

    def copy(self) -> "Taken":
        """An independent copy."""
        other = Taken(cosine=self.cosine)
        other._directions.extend(self._directions)
        return other

    def add(self, embeddings: Tensor) -> None:
        """Remember the embeddings (n, d) of images that go into S."""
        if embeddings.shape[0]:
            newest = embeddings[-IMAGES_COMPARED:].to(torch.float32)
            self._directions.append(normalize(newest, dim=1))
        while sum(len(each) for each in self._directions) > IMAGES_COMPARED:
            self._directions.popleft()

    def drop_copies(self, embeddings: Embeddings, order: Tensor) -> Tensor:
        """`order`, int64 rows of the embeddings (n, d), without copies.

        A copy has a cosine similarity of at least `cosine` to an image taken before or to an
        earlier row.
        """
        if self._directions:
            directions = normalize(embeddings[order].to(torch.float32), dim=1)
            known = torch.cat([*self._directions])
            order = order[(directions @ known.T < self.cosine).all(dim=1)]
        return drop_near_duplicates(embeddings, order, threshold=self.cosine)


class Ranking:
    """The images that one worker ranked in its last pass and did not put into S yet.

    `strategy`: the strategy that ranked. `version`: the model version it used, None before the
    first. `ranked`: whether there was a pass at all. Raises UnknownStrategy.
    """

    def __init__(self, strategy: str, *, generator: torch.Generator) -> None:
        get(strategy)  # raises UnknownStrategy now rather than at the first pass
        self.strategy = strategy
        self.version: int | None = None
        self.ranked = False
        self._generator = generator
        self._ahead: deque[Ranked] = deque()  # best first
        # Of ranked images that are no copies of one another, to keep later copies of them out.
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
        embeddings_of: EmbeddingsOf | None = None,
    ) -> Replanned:
        """Rank anew after a pass by `strategy` with the model `version` (None before the first).

        `image_ids`: the images that the evidence is about, in its order: those of D_j and of the
        open queries that may be replaced. `active`: images of this worker's open queries; those
        that the pass did not see stay as they are. `waiting`: number of open queries in all.
        `wanted`: number of queries to add now. `ahead`: number to add before the next pass. Copies
        of `taken` images and of one another are ranked only if there are too few other images;
        with `taken` None, copies are not looked for. `embeddings_of`: where the embeddings for that
        are read, so that those of a large pool are read only of the images ranked; None for those
        of the evidence.
        """
        if embeddings_of is None and evidence.embeddings is not None:
            embeddings_of = evidence.embeddings.__getitem__
        lookup = None if taken is None else embeddings_of
        seen = set(image_ids)
        there = [each for each in active if each in seen]
        count = len(there) + wanted
        budget = max(waiting + wanted, ahead, 1) * RANK_AHEAD_FACTOR
        enough = max(count, len(there) + ahead)
        scores, others, copies = self._rank(strategy, evidence, budget, enough, taken, lookup)
        rows = [*others, *copies]
        best = [image_ids[row] for row in rows[:count]]
        self.strategy, self.version, self.ranked = strategy, version, True
        open_now = set(there)
        self._ahead = deque((image_ids[r], scores[r]) for r in rows if image_ids[r] not in open_now)
        confirmed = [row for row in rows[:count] if image_ids[row] in open_now]
        self._embeddings = {}
        if taken is not None and lookup is not None:
            taken.add(lookup(torch.tensor(confirmed, dtype=torch.int64)))
            # Indexing copies these rows, so that the embeddings of the whole pass can be freed.
            kept = lookup(torch.tensor(others, dtype=torch.int64))
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
        """The embeddings (n, d) that are kept of these images; None if there are none.

        Embeddings are kept for ranked images that are no copies.
        """
        known = [self._embeddings[image] for image in image_ids if image in self._embeddings]
        return torch.stack(known) if known else None

    def take(
        self, count: int, *, but: Collection[int] = (), taken: Taken | None = None
    ) -> list[Ranked]:
        """The next `count` images at most, best first, without those in `but`.

        Copies of images `taken` since the ranking are passed over too, except for images that were
        ranked as copies because there were too few others. The images returned count as taken.
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
        """`some` without copies of taken images and of one another; the rest counts as taken.

        Images that were ranked as copies, because there were too few others, stay.
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
        self,
        strategy: str,
        evidence: Evidence,
        budget: int,
        enough: int,
        taken: Taken | None,
        lookup: EmbeddingsOf | None,
    ) -> tuple[dict[int, float], list[int], list[int]]:
        """Scores by row, the rows that are no copies, and the copies, best first.

        Where images repeat, the best rows are copies of a few images: then more rows are ranked,
        until `enough` are no copies. Copies are returned only if all rows were ranked.
        """
        count = evidence.probabilities.shape[0]
        while True:
            chosen = select(strategy, evidence, min(budget, count), generator=self._generator)
            order = chosen.indices
            scores = dict(zip(order.tolist(), chosen.scores.tolist(), strict=True))
            if taken is None or lookup is None:
                return scores, list(scores), []
            places = torch.arange(len(order), device=order.device)
            others = order[taken.drop_copies(lookup(order), places)].tolist()
            if budget >= count:
                # A copy is better than no query: people must not wait.
                known = set(others)
                return scores, others, [row for row in scores if row not in known]
            if len(others) >= enough:
                return scores, others, []
            budget *= RANK_AHEAD_FACTOR
