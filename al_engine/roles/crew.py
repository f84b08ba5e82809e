"""The workers that one process hosts: their cells, the pace of the people, and the cold start.

Knows nothing of torch, so that a process puts random images into S while torch still loads:
people begin to label in the first second.
"""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from django.db import InterfaceError, OperationalError, connection

from al_engine.pools import processes, query, unlabeled
from al_engine.pools.models import Campaign
from al_engine.pools.processes import Part
from al_engine.pools.query import OpenQuery, Pick, Refill
from al_engine.pools.signals import listening
from al_engine.pools.sizes import sizes
from al_engine.refill import COLD_FLOOR, DEPTH_FLOOR, Aim, AnswerRate, aim

log = logging.getLogger(__name__)


class Crew:
    """Hosted workers, each with its own cells."""

    def __init__(self, campaign: Campaign, parts: Sequence[Part]) -> None:
        self.campaign = campaign
        self.parts = parts
        self.cells: dict[int, list[int]] = {part.id: [] for part in parts}
        self.live = len(parts)
        self.pass_seconds = 0.0
        self._rate = AnswerRate(started=time.monotonic())
        self._answers = sizes(campaign_id=campaign.pk).answers
        self._refills: list[Refill] = []

    @property
    def is_first(self) -> bool:
        """Whether this process hosts the first worker, who does what one alone should do."""
        return any(part.name == "worker-1" for part in self.parts)

    def hold_cells(self) -> None:
        """Renew and balance the cells of all; runs in the heartbeat's thread as well."""
        self.live = max(processes.live_workers(campaign_id=self.campaign.pk), len(self.parts))
        for part in self.parts:
            self.cells[part.id] = unlabeled.hold_cells(
                campaign_id=self.campaign.pk, worker_id=part.id, live_workers=self.live
            )

    def observe_rate(self) -> None:
        """Measure the pace of the people."""
        answers = sizes(campaign_id=self.campaign.pk).answers
        self._rate.observe(max(answers - self._answers, 0), at=time.monotonic())
        self._answers = answers

    def waiting(self) -> dict[int, list[OpenQuery]]:
        """The open, untouched queries of each worker's cells, by worker."""
        owner = {cell: part_id for part_id, cells in self.cells.items() for cell in cells}
        mine: dict[int, list[OpenQuery]] = {part.id: [] for part in self.parts}
        for each in query.open_queries(campaign_id=self.campaign.pk, cells=list(owner)):
            mine[owner[each.cell]].append(each)
        return mine

    def aim(self, index: int, waiting: int, *, floor: int = DEPTH_FLOOR) -> Aim:
        """What hosted worker `index`, with so many queries open, does about its part of S."""
        return aim(
            batch_size=self.campaign.batch_size,
            workers=self.live,
            index=min(index, self.live - 1),
            open_queries=waiting,
            answers_per_second=self._rate.per_second(at=time.monotonic()),
            pass_seconds=self.pass_seconds,
            floor=floor,
        )

    def draw(self, part: Part, *, active: int, audits: int = 0) -> list[Pick]:
        """Images of D_j uniformly at random, no image twice, the audits first."""
        if not active + audits:
            return []
        drawn = unlabeled.draw_at_random(
            campaign_id=self.campaign.pk, cells=self.cells[part.id], count=active + audits
        )
        return [
            Pick(each.image_id, "random", purpose="audit" if place < audits else "active")
            for place, each in enumerate(drawn)
        ]

    def put(
        self,
        part: Part,
        picks: Sequence[Pick],
        withdraw: Sequence[int] = (),
        confirmed: Sequence[tuple[int, Pick]] = (),
    ) -> None:
        """Note what a worker adds to S, takes out and would ask again, for `commit`."""
        if picks or withdraw or confirmed:
            self._refills.append(Refill(part.id, tuple(picks), tuple(withdraw), tuple(confirmed)))

    def commit(self) -> None:
        """Do what was noted, for all hosted workers in one transaction."""
        refills, self._refills = self._refills, []
        if refills:
            query.refill_together(campaign_id=self.campaign.pk, refills=refills)

    def fill_at_random(self) -> None:
        """Bring S to its depth without any model."""
        self.campaign.refresh_from_db()
        if self.campaign.state != Campaign.State.RUNNING:
            return
        self.observe_rate()
        waiting = self.waiting()
        for index, part in enumerate(self.parts):
            need = self.aim(index, len(waiting[part.id]), floor=COLD_FLOOR).need
            self.put(part, self.draw(part, active=need))
        self.commit()


class ColdStart(AbstractContextManager["ColdStart"]):
    """Keeps S filled at random from a thread, while the main thread gets ready to do better."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cold start", daemon=True)

    def __enter__(self) -> "ColdStart":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with listening(self.crew.campaign.pk) as listener:
            while not self._over.is_set():
                try:
                    self.crew.fill_at_random()
                except (OperationalError, InterfaceError) as error:
                    log.warning("No cold start for now: %s", " ".join(str(error).split()))
                    connection.close()
                listener.wait("labels", "hungry", seconds=0.2)
        connection.close()
