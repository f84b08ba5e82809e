"""The workers that one process hosts: their parts, and the cells that are their D_j.

Knows nothing of torch. Who fills S holds the cells; who looks at D_j reads which they are.
"""

from collections.abc import Sequence

from al_engine.pools import processes, supply, unlabeled
from al_engine.pools.models import Campaign
from al_engine.pools.processes import Part
from al_engine.pools.supply import OpenQuery


class Crew:
    """Hosted workers, each with its own cells."""

    def __init__(self, campaign: Campaign, parts: Sequence[Part]) -> None:
        self.campaign = campaign
        self.parts = parts
        self.cells: dict[int, list[int]] = {part.id: [] for part in parts}
        self.live = len(parts)

    @property
    def ids(self) -> list[int]:
        """The ids of the hosted workers."""
        return [part.id for part in self.parts]

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

    def read_cells(self) -> None:
        """Learn which cells these workers hold, from the process that holds them."""
        self.live = max(processes.live_workers(campaign_id=self.campaign.pk), len(self.parts))
        self.cells = unlabeled.held_cells(worker_ids=self.ids)

    def waiting(self) -> dict[int, list[OpenQuery]]:
        """The open, untouched queries of each worker's cells, by worker."""
        owner = {cell: part_id for part_id, cells in self.cells.items() for cell in cells}
        mine: dict[int, list[OpenQuery]] = {part.id: [] for part in self.parts}
        for each in supply.open_queries(campaign_id=self.campaign.pk, cells=list(owner)):
            mine[owner[each.cell]].append(each)
        return mine
