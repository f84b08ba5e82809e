"""The worker loop of the paper (section 3.1): take g*, score D_j, select, put it into S.

A process hosts one or more of the paper's k workers: each has its own cells and strategy, all
share one loaded model, one image cache and one pass over their images.
"""

import time
from typing import Final

from al_engine import rules
from al_engine.pools import processes, query
from al_engine.pools.models import Campaign
from al_engine.pools.query import OpenQuery
from al_engine.pools.signals import Listener, listening
from al_engine.refill import POLL_SECONDS
from al_engine.roles.crew import Crew
from al_engine.roles.life import Ending
from al_engine.roles.newest_model import NewestModel, Scored, Wanted
from al_engine.roles.partition import start_by_clusters
from al_engine.roles.selector import Selector
from al_engine.strategies.ranking import Taken
from al_engine.training import devices

_SHORTEST_ROUND_SECONDS: Final = 0.1
"""Hints of a tenth of a second are taken together: people answer hundreds of times in it."""
_PRUNE_EVERY_SECONDS: Final = 300.0
_PRUNE_AFTER_SECONDS: Final = 600.0


class WorkerLoop:
    """The round that all workers of one process take together."""

    def __init__(self, crew: Crew, device_name: str) -> None:
        device = devices.resolve(device_name)
        self.crew = crew
        self.campaign = crew.campaign
        self.selectors = [Selector(crew, part) for part in crew.parts]
        self.model = NewestModel(crew.campaign, device)
        self.pruned_at = time.monotonic()
        # A newer g* was taken, and S does not follow it yet.
        self.newer = False
        # By this g*: what the hosted workers chose.
        self.taken = Taken()
        for part in crew.parts:
            processes.report(process_id=part.id, device=devices.describe(device))

    def step(self, listener: Listener) -> None:
        """One round: take g* if there is a newer one, refill S, wait for a reason to do more."""
        began = time.monotonic()
        self.campaign.refresh_from_db()
        if self.campaign.state != Campaign.State.RUNNING:
            self.say(f"the campaign is {self.campaign.state}")
            listener.wait("campaign", seconds=POLL_SECONDS)
            return
        self.newer |= self.model.take_newest(self.say)
        self.refill(self.newer)
        self.newer = False
        if began - self.pruned_at > _PRUNE_EVERY_SECONDS:
            self.pruned_at = began
            query.prune_withdrawn(
                campaign_id=self.campaign.pk, older_than_seconds=_PRUNE_AFTER_SECONDS
            )
        time.sleep(max(0.0, _SHORTEST_ROUND_SECONDS - (time.monotonic() - began)))
        listener.wait("labels", "hungry", "model", "campaign", seconds=POLL_SECONDS)

    def refill(self, newer: bool) -> None:
        """Bring every worker's part of S to its depth and, after a newer g*, to its choice."""
        self.crew.observe_rate()
        waiting = self.crew.waiting()
        refresh = newer and self.campaign.refresh
        version_id = self.model.version_id
        gives_way = rules.gives_way(model=self.model.loaded, refresh=refresh)
        due: list[tuple[Selector, int]] = []
        to_score: list[tuple[Selector, list[OpenQuery]]] = []
        for index, selector in enumerate(self.selectors):
            mine = waiting[selector.part.id]
            aim = self.crew.aim(index, len(mine))
            selector.tell(aim.depth, self.model.version_number)
            to_look = selector.is_to_look(aim.need, version_id=version_id, refresh=refresh)
            if aim.need or to_look:
                due.append((selector, aim.need))
            if to_look:
                to_score.append((selector, mine if gives_way else []))
        scored = self.score(to_score)
        if newer:
            self.taken.clear()
        for selector, need in due:
            selector.refill(
                waiting[selector.part.id],
                need,
                scored.get(selector.part.id),
                version_id=version_id,
                taken=self.taken,
            )
        self.crew.commit()

    def score(self, wanted: list[tuple[Selector, list[OpenQuery]]]) -> dict[int, Scored]:
        """Score with g* the images of these workers and the queries they have open; by worker."""
        if not wanted:
            return {}
        began = time.monotonic()
        scored = self.model.score(
            [
                Wanted(
                    selector.part.id,
                    self.crew.cells[selector.part.id],
                    waiting,
                    selector.strategy(model=self.model.loaded),
                )
                for selector, waiting in wanted
            ]
        )
        self.crew.pass_seconds = time.monotonic() - began
        return scored

    def say(self, what: str) -> None:
        """Tell people what all workers of this process do now."""
        for selector in self.selectors:
            selector.say(what)


def work(crew: Crew, device_name: str, ending: Ending) -> None:
    """Run the loop until the process is told to end."""
    loop = ending.patiently(lambda: WorkerLoop(crew, device_name))
    if crew.campaign.partition == Campaign.Partition.CLUSTERS and crew.is_first:
        start_by_clusters(crew.campaign)
    with listening(crew.campaign.pk) as listener:
        ending.repeat(lambda: loop.step(listener))
