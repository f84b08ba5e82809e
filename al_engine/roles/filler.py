"""Keeps S filled at the pace of the people: with ranked images, else with random ones.

Does not import torch and runs in a process of its own, so that a shortage in S is met at once,
whatever the worker loop is doing: a pass over D, loading weights, or waiting for a slow disk.
"""

import random
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction

from al_engine.decisions import refill, rules
from al_engine.decisions.refill import COLD_FLOOR, DEPTH_FLOOR, POLL_SECONDS, Aim
from al_engine.pools import processes, query, rankings, supply, versions
from al_engine.pools.models import Campaign, Ranking
from al_engine.pools.processes import Part
from al_engine.pools.query import Pick, Refill
from al_engine.pools.signals import Listener
from al_engine.roles.crew import Crew
from al_engine.roles.pace import Pace
from al_engine.roles.stock import Stock

ROUND_SECONDS: Final = 0.1
"""S is refilled once for all answers of a tenth of a second, but at once if people wait."""
_MAX_ROUNDS_AT_ONCE: Final = 5
_LOOK_AROUND_SECONDS: Final = 0.5
_PEOPLE_KEPT_SHARE: Final = 0.9


@dataclass(slots=True)
class _Shelf:
    """The ranked images of one worker that are not in S yet."""

    number: int = -1
    strategy: str = ""
    version_id: int | None = None
    used: int = 0
    ahead: deque[tuple[int, float]] = field(default_factory=deque)
    # Queries that the last look withdraws and confirms, until that is done.
    withdraw: tuple[int, ...] = ()
    confirmed: tuple[tuple[int, float], ...] = ()

    def replace(self, ranking: Ranking) -> None:
        """Replace the contents by a newer ranking."""
        self.number, self.used = ranking.number, ranking.used
        self.strategy, self.version_id = ranking.strategy, ranking.model_version_id
        ranked = zip(ranking.images, ranking.scores, strict=True)
        self.ahead = deque(list(ranked)[ranking.used :])
        self.withdraw = tuple(ranking.withdraw)
        self.confirmed = tuple(zip(ranking.confirmed, ranking.confirmed_scores, strict=True))

    def take(self, count: int, *, but: Sequence[Pick]) -> list[Pick]:
        """The next `count` images at most, best first, passing over the images in `but`."""
        known = {pick.image_id for pick in but}
        picks: list[Pick] = []
        while len(picks) < count and self.ahead:
            image_id, score = self.ahead.popleft()
            self.used += 1
            if image_id not in known:
                picks.append(self.pick(image_id, score))
        return picks

    def pick(self, image_id: int, score: float) -> Pick:
        """A pick of an image by this ranking's strategy and model version."""
        return Pick(image_id, self.strategy, score, self.version_id)


class Filler:
    """Fills the parts of S of all workers of one process, in rounds."""

    def __init__(self, crew: Crew, *, stock_up: int | None = None) -> None:
        """With `stock_up` S is filled to so many queries, ranked or not, before its workers end."""
        self.crew = crew
        self._stock_up = stock_up
        self.pace = Pace(crew.campaign.pk)
        self.stock = Stock(crew)
        self._shelves = {part.id: _Shelf() for part in crew.parts}
        # True until the worker loop has stored its first ranking state: torch is still loading.
        self._cold = True
        self._newest: int | None = None
        self._people = 0
        self._looked_around_at = self._reported_at = 0.0
        # Duration in seconds of the slowest recent round; it decays by a tenth each round.
        self._slowest = 0.0
        self._depths: dict[int, int] = {}

    def step(self, listener: Listener) -> None:
        """Run a round, then wait for a reason for another."""
        # If picked images had left D before they were put into S, another round replaces them.
        for _ in range(_MAX_ROUNDS_AT_ONCE):
            if not self.fill():
                break
        if not listener.wait("hungry", "ranked", seconds=ROUND_SECONDS):
            listener.wait("labels", "hungry", "ranked", "model", "campaign", seconds=POLL_SECONDS)

    def fill(self) -> bool:
        """Bring S to its depth; returns whether another round at once would add more."""
        began = time.monotonic()
        if began - self._looked_around_at >= _LOOK_AROUND_SECONDS:
            self.look_around()
        if self.crew.campaign.state != Campaign.State.RUNNING:
            return False
        untouched = supply.count_untouched(
            campaign_id=self.crew.campaign.pk, worker_ids=self.crew.ids
        )
        self.pace.observe()
        self._take_rankings()
        refills = [
            refill
            for index, part in enumerate(self.crew.parts)
            if (refill := self._refill(index, part, untouched[part.id])) is not None
        ]
        wanted = sum(len(refill.picks) for refill in refills)
        put = self._commit(refills)
        now = time.monotonic()
        self._slowest = max(now - began, self._slowest * 0.9)
        if now - self._reported_at >= _LOOK_AROUND_SECONDS:
            self.report()
        if put < wanted:
            self.stock.clear()
        self.stock.renew(2 * sum(self._depths.values()))
        return put < wanted

    def look_around(self) -> None:
        """Read what changes seldom: the campaign, g*, and the number of people."""
        self._looked_around_at = time.monotonic()
        campaign = self.crew.campaign
        campaign.refresh_from_db()
        newest = versions.newest(campaign=campaign)
        self._newest = None if newest is None else newest.pk
        # Waiting people hold no turn and must still count, so the number falls only by a tenth
        # per look.
        served = supply.people_served(campaign_id=campaign.pk)
        self._people = max(served, int(self._people * _PEOPLE_KEPT_SHARE))

    def report(self) -> None:
        """Report the wanted depth of each worker's part of S, for the live page."""
        self._reported_at = time.monotonic()
        processes.report_depths(depths=self._depths)

    def _take_rankings(self) -> None:
        """Read the rankings stored since the last round."""
        progress_by_worker = rankings.read_progress(worker_ids=self.crew.ids)
        self._cold = not progress_by_worker
        newer = [
            worker_id
            for worker_id, progress in progress_by_worker.items()
            if progress.number != self._shelves[worker_id].number
        ]
        for ranking in rankings.read(worker_ids=newer) if newer else ():
            self._shelves[ranking.worker_id].replace(ranking)
        if any(self._shelves[worker_id].version_id != self._newest for worker_id in newer):
            # By a model that is newer than the last look around: S follows it at once.
            self.look_around()

    def _refill(self, index: int, part: Part, waiting: int) -> Refill | None:
        """The queries that a worker adds to S, withdraws and confirms now; None for no change."""
        shelf = self._shelves[part.id]
        aim = self._find_aim(index, waiting)
        self._depths[part.id] = aim.depth
        withdraw, confirmed = shelf.withdraw, shelf.confirmed
        shelf.withdraw = shelf.confirmed = ()
        picks = self._choose(index, part, waiting, aim.need, len(withdraw))
        if not picks and not withdraw and not confirmed:
            return None
        again = tuple((query_id, shelf.pick(0, score)) for query_id, score in confirmed)
        return Refill(part.id, tuple(picks), withdraw, again)

    def _choose(self, index: int, part: Part, waiting: int, need: int, replaced: int) -> list[Pick]:
        """The images that a worker adds: `need`, and one for each of the `replaced` queries.

        Each image that is added for one that was taken is an audit with the probability of the
        campaign's audit rate: drawn uniformly from D_j without a model, and never replaced, so that
        audit answers are a fair sample of D.
        """
        shelf, model = self._shelves[part.id], self._newest is not None
        if rules.is_at_random(part.strategy, model=model, ahead=len(shelf.ahead)):
            audits = self._count_audits(need)
            return self._draw(part, active=need - audits + replaced, audits=audits)
        ranked = len(shelf.ahead) - replaced if shelf.version_id == self._newest else 0
        # Not for all that is needed: a place that stays empty would get another chance of an audit
        # in each round, until most of S were audits.
        places = min(need, max(ranked, self._count_urgent(index, waiting)))
        audits = self._count_audits(places)
        picks = self._draw(part, active=0, audits=audits)
        least = replaced + self._count_urgent(index, waiting + len(picks))
        taken = shelf.take(max(replaced + places - audits, least), but=picks)
        picks += taken
        return picks + self._draw(part, active=least - len(taken), audits=0, but=picks)

    def _count_audits(self, places: int) -> int:
        rate = 0.0 if self._cold else self.crew.campaign.audit_rate
        return sum(random.random() < rate for _ in range(places))  # noqa: S311

    def _draw(
        self, part: Part, *, active: int, audits: int, but: Sequence[Pick] = ()
    ) -> list[Pick]:
        """Distinct images of D_j uniformly at random, audits first, without those in `but`."""
        count = max(active, 0) + audits
        drawn = self.stock.take(part.id, count) if count else []
        known = {pick.image_id for pick in but}
        return [
            Pick(image_id, "random", purpose="audit" if place < audits else "active")
            for place, image_id in enumerate(drawn)
            if image_id not in known
        ]

    def _find_aim(self, index: int, waiting: int) -> Aim:
        floor = max(COLD_FLOOR if self._cold else DEPTH_FLOOR, self._stock_up or 0)
        return refill.aim(
            batch_size=self.crew.campaign.batch_size,
            workers=self.crew.live,
            index=min(index, self.crew.live - 1),
            open_queries=waiting,
            answers_per_second=self.pace.per_second,
            refill_seconds=refill.REACTION_SECONDS + self._slowest,
            floor=floor,
            ceiling=refill.ceiling_for(self._people, floor=floor),
        )

    def _count_urgent(self, index: int, waiting: int) -> int:
        if self._stock_up is not None:
            return max(self._find_aim(index, waiting).depth - waiting, 0)
        # With a batch size set by the campaign, only the pace of its people counts.
        return refill.urgent(
            workers=self.crew.live,
            index=min(index, self.crew.live - 1),
            open_queries=waiting,
            answers_per_second=self.pace.per_second,
            refill_seconds=refill.REACTION_SECONDS + self._slowest,
            floor=0 if self.crew.campaign.batch_size else DEPTH_FLOOR,
        )

    def _commit(self, refills: Sequence[Refill]) -> int:
        """Write all refills in one transaction; returns how many queries were put into S."""
        if not refills:
            return 0
        try:
            return self._write(refills)
        except BaseException:
            # The transaction was rolled back: read all rankings again.
            for shelf in self._shelves.values():
                shelf.number = -1
            self.stock.clear()
            raise

    def _write(self, refills: Sequence[Refill]) -> int:
        with transaction.atomic():
            done = query.refill_together(campaign_id=self.crew.campaign.pk, refills=refills)
            rankings.use(
                used={
                    worker_id: (shelf.number, shelf.used)
                    for worker_id, shelf in self._shelves.items()
                    if shelf.number >= 0
                }
            )
        return done.put
