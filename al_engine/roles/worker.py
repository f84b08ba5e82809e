"""The worker loop of the paper (section 3.1): take g*, score D_j, rank images for S.

A process hosts one or more of the paper's k workers. Each has its own cells and strategy; all share
one loaded model, one image cache and one pass over their images. Together they repeat these steps
until the process is told to end:

1. While the campaign does not run, report that and wait.
2. Load g* if it is newer than the loaded model.
3. Find the workers that need a look: those with too few ranked images ahead, and those whose
   ranking is by an older model while queries are needed.
4. In one pass, score with g* the images of their D_j and of the open queries that may be replaced.
5. Rank: each worker's strategy chooses, and all rankings are stored at once. From these
   `filler.py`, in a process of its own, keeps S filled, so people never wait for a pass.
6. Report, delete old withdrawn queries every five minutes, and wait for labels, hunger, a model or
   a change of the campaign, 1 s at most.
"""

import math
import time
from typing import Final

from al_engine import strategies
from al_engine.decisions import rules
from al_engine.decisions.architecture import is_published
from al_engine.decisions.refill import POLL_SECONDS, REACTION_SECONDS, aim
from al_engine.embedded import near_copy_cosine
from al_engine.pools import processes, query, rankings, supply
from al_engine.pools.models import Campaign
from al_engine.pools.rankings import RankingProgress
from al_engine.pools.signals import Listener, listening
from al_engine.pools.supply import OpenQuery
from al_engine.roles.choosing import wait_for_choice
from al_engine.roles.crew import Crew
from al_engine.roles.life import Ending
from al_engine.roles.newest_model import NewestModel, Scored, Wanted
from al_engine.roles.pace import Pace
from al_engine.roles.partition import start_clustering
from al_engine.roles.selector import Selector
from al_engine.roles.threads import Threads
from al_engine.strategies.batches import COPY_COSINE
from al_engine.strategies.ranking import Taken
from al_engine.training import devices

_SHORTEST_ROUND_SECONDS: Final = 0.1
_BETWEEN_PASSES_SECONDS: Final = 1.0
"""Shortest time between passes with the same model: the next finds only what answers have left."""
_AHEAD_FACTOR: Final = 2.0
"""Images are ranked for twice the answers expected until the next pass ends."""
_PRUNE_EVERY_SECONDS: Final = 300.0
_PRUNE_AFTER_SECONDS: Final = 600.0


class WorkerLoop:
    """The loop of all workers of one process."""

    def __init__(self, crew: Crew, device_name: str) -> None:
        device = devices.resolve(device_name)
        self.crew = crew
        self.campaign = crew.campaign
        self.selectors = [Selector(part) for part in crew.parts]
        self.model = NewestModel(crew.campaign, device)
        self.pace = Pace(crew.campaign.pk)
        self.threads = Threads()
        self.pass_seconds = 0.0
        self.passed_at = 0.0
        self.pruned_at = time.monotonic()
        # What each worker was reported to do.
        self._told: dict[int, str] = {}
        # A newer g* was loaded, and no ranking followed it yet.
        self.newer = False
        # Images that the hosted workers put into S, by embeddings that g* makes as well.
        self.taken = Taken()
        self._taken_by: str | int | None = None
        for part in crew.parts:
            processes.report(process_id=part.id, device=devices.describe(device))
        rankings.begin(worker_ids=crew.ids)

    def step(self, listener: Listener) -> None:
        """The six steps above, once."""
        began = time.monotonic()
        self.campaign.refresh_from_db()
        if self.campaign.state != Campaign.State.RUNNING:
            self.say(f"the campaign is {self.campaign.state}")
            listener.wait("campaign", seconds=POLL_SECONDS)
            return
        self.threads.take()
        self.newer |= self.model.take_newest(self.say)
        self.look(self.newer)
        self.newer = False
        number = self.model.version_number
        self._report({each.part.id: each.words(number) for each in self.selectors})
        if began - self.pruned_at > _PRUNE_EVERY_SECONDS:
            self.pruned_at = began
            query.prune_withdrawn(
                campaign_id=self.campaign.pk, older_than_seconds=_PRUNE_AFTER_SECONDS
            )
        time.sleep(max(0.0, _SHORTEST_ROUND_SECONDS - (time.monotonic() - began)))
        listener.wait("labels", "hungry", "model", "campaign", seconds=POLL_SECONDS)

    def look(self, newer: bool) -> None:
        """Rank the images of all workers that need it, in one pass, and store the rankings."""
        refresh = newer and self.campaign.refresh
        self.crew.read_cells()
        self.pace.observe()
        self._forget_incomparable()
        due = self._due(newer, refresh)
        if not due:
            return
        began = time.monotonic()
        scored = self._score([selector for selector, _ in due])
        # Read S again: people have gone on labeling during the pass.
        waiting = self.crew.waiting()
        taken = self.taken.copy()
        looks = [
            selector.look(
                self._replaceable(waiting[selector.part.id]),
                scored[selector.part.id],
                version_id=self.model.version_id,
                embedded_by=self.model.embeds_by,
                ahead=ahead,
                taken=taken,
            )
            for selector, ahead in due
            if selector.part.id in scored
        ]
        rankings.store(campaign_id=self.campaign.pk, looks=looks)
        self.passed_at = time.monotonic()
        self.pass_seconds = self.passed_at - began

    def _forget_incomparable(self) -> None:
        """Forget taken images unless their embeddings are those of g*, as of a frozen backbone."""
        source = self.model.embeds_by
        if source != self._taken_by:
            nearly = near_copy_cosine(source) if isinstance(source, str) else None
            self.taken = Taken(cosine=nearly or COPY_COSINE)
            self._taken_by = source

    def _due(self, newer: bool, refresh: bool) -> list[tuple[Selector, int]]:
        """The workers that need a look, each with the number of images to rank ahead."""
        progress_by_worker = rankings.read_progress(worker_ids=self.crew.ids)
        untouched = supply.count_untouched(campaign_id=self.campaign.pk, worker_ids=self.crew.ids)
        rested = time.monotonic() - self.passed_at >= _BETWEEN_PASSES_SECONDS
        rate = self.pace.per_second
        until_next = self.pass_seconds + POLL_SECONDS
        coming = math.ceil(_AHEAD_FACTOR * until_next * rate / self.crew.live)
        due = []
        for index, selector in enumerate(self.selectors):
            progress = progress_by_worker.get(selector.part.id, RankingProgress(0, 0, 0))
            selector.asked(progress, self.model.embeds_by, self.taken)
            if progress.left and not rested and not selector.is_outdated(self.model.version_id):
                continue
            wanted = aim(
                batch_size=self.campaign.batch_size,
                workers=self.crew.live,
                index=min(index, self.crew.live - 1),
                open_queries=untouched[selector.part.id],
                answers_per_second=rate,
                refill_seconds=REACTION_SECONDS,
            )
            if selector.is_to_look(
                progress, wanted.need + coming, version_id=self.model.version_id, refresh=refresh
            ):
                due.append((selector, wanted.depth + 2 * coming))
        return due

    def _score(self, selectors: list[Selector]) -> dict[int, Scored]:
        """Score with g* the images of these workers and of the queries that they may replace."""
        waiting = self.crew.waiting()
        return self.model.score(
            [
                Wanted(
                    selector.part.id,
                    self.crew.cells[selector.part.id],
                    self._replaceable(waiting[selector.part.id]),
                    selector.strategy(model=self.model.loaded),
                )
                for selector in selectors
            ]
        )

    def _replaceable(self, waiting: list[OpenQuery]) -> list[OpenQuery]:
        """The open queries that g* may withdraw.

        These were chosen by another model, or drawn at random because nothing was ranked. Audits
        are never replaced. Once there is a model, a campaign without refresh replaces nothing.
        """
        if not rules.gives_way(model=self.model.loaded, refresh=self.campaign.refresh):
            return []
        return [
            each
            for each in waiting
            if each.purpose == "active"
            and (each.model_version_id != self.model.version_id or each.strategy == "random")
        ]

    def say(self, what: str) -> None:
        """Report what all workers of this process do now."""
        self._report(dict.fromkeys(self.crew.ids, what))

    def _report(self, states: dict[int, str]) -> None:
        """Write the states that have changed; the processes run, so earlier errors are cleared."""
        changed = {part: state for part, state in states.items() if self._told.get(part) != state}
        if changed:
            processes.report_states(states=changed)
            self._told |= changed


def work(crew: Crew, device_name: str, ending: Ending) -> None:
    """Run the loop until the process is told to end."""
    device = devices.resolve(device_name)
    for part in crew.parts:
        if part.strategy != rules.AUTO:
            strategies.get(part.strategy)  # an unknown one ends this process before it waits

    def say(what: str) -> None:
        for part in crew.parts:
            processes.report(process_id=part.id, state=what)

    ending.patiently(lambda: wait_for_choice(crew.campaign, device, ending=ending, say=say))
    crew.settle_strategies(published=is_published(crew.campaign.model_architecture))
    loop = ending.patiently(lambda: WorkerLoop(crew, device_name))
    if crew.campaign.partition == Campaign.Partition.CLUSTERS and crew.is_first:
        start_clustering(crew.campaign, device)
    with listening(crew.campaign.pk) as listener:
        ending.repeat(lambda: loop.step(listener))
