"""The workers that one process hosts, and the cells that make up each worker's D_j.

Does not import torch. The process that fills S holds the cells; the process that scores D_j only
reads which cells they are.
"""

from collections.abc import Sequence
from dataclasses import replace

from al_engine.decisions import rules
from al_engine.pools import processes, supply, unlabeled
from al_engine.pools.models import Campaign
from al_engine.pools.processes import Part
from al_engine.pools.sizes import sizes
from al_engine.pools.supply import OpenQuery


class Crew:
    """Hosted workers, each with its own cells."""

    def __init__(self, campaign: Campaign, parts: Sequence[Part]) -> None:
        self.campaign = campaign
        self.parts = parts
        self.cells: dict[int, list[int]] = {part.id: [] for part in parts}
        self.live = len(parts)

    def settle_strategies(self, *, published: bool) -> None:
        """Put the strategy that `auto` means in its place, here and in what the process reports."""
        images = sizes(campaign_id=self.campaign.pk).total
        meant = [
            rules.meant_by(part.strategy, published=published, images=images) for part in self.parts
        ]
        for part, strategy in zip(self.parts, meant, strict=True):
            if strategy != part.strategy:
                processes.report(process_id=part.id, strategy=strategy)
        self.parts = [
            replace(part, strategy=strategy)
            for part, strategy in zip(self.parts, meant, strict=True)
        ]

    @property
    def ids(self) -> list[int]:
        """The ids of the hosted workers."""
        return [part.id for part in self.parts]

    @property
    def is_first(self) -> bool:
        """Whether this process hosts `worker-1`, for work that only one process should do."""
        return any(part.name == "worker-1" for part in self.parts)

    def hold_cells(self) -> None:
        """Renew and balance the cells of all workers; also runs in the heartbeat's thread."""
        self.live = max(processes.live_workers(campaign_id=self.campaign.pk), len(self.parts))
        for part in self.parts:
            self.cells[part.id] = unlabeled.hold_cells(
                campaign_id=self.campaign.pk, worker_id=part.id, live_workers=self.live
            )

    def read_cells(self) -> None:
        """Read from the database which cells the hosted workers hold."""
        self.live = max(processes.live_workers(campaign_id=self.campaign.pk), len(self.parts))
        self.cells = unlabeled.held_cells(worker_ids=self.ids)

    def waiting(self) -> dict[int, list[OpenQuery]]:
        """The open, untouched queries in each worker's cells, by worker id."""
        owner = {cell: part_id for part_id, cells in self.cells.items() for cell in cells}
        mine: dict[int, list[OpenQuery]] = {part.id: [] for part in self.parts}
        for each in supply.open_queries(campaign_id=self.campaign.pk, cells=list(owner)):
            mine[owner[each.cell]].append(each)
        return mine
