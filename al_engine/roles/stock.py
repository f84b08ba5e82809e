"""Random images of D_j, drawn ahead of time, so that a shortage need not wait for the draw."""

import time
from collections import deque
from typing import Final

from al_engine.pools import unlabeled
from al_engine.roles.crew import Crew

SMALLEST_STOCK_IMAGES: Final = 128
"""Smallest stock for all hosted workers together, however slow people are."""
STOCK_STALE_SECONDS: Final = 10.0
"""Age at which a stock is drawn anew, so that samples include newly imported images."""


class Stock:
    """Images by worker, drawn uniformly from its D_j. Some may have left D since."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._images: dict[int, deque[int]] = {}
        # The cells by worker that the images were drawn from.
        self._cells: dict[int, list[int]] = {}
        self._drawn_at = 0.0

    def take(self, worker_id: int, count: int) -> list[int]:
        """Up to `count` distinct images of this worker."""
        if self._crew.cells != self._cells:
            self.clear()
        mine = self._images.setdefault(worker_id, deque())
        if len(mine) < count:
            drawn = unlabeled.draw_at_random(
                campaign_id=self._crew.campaign.pk,
                cells=self._crew.cells[worker_id],
                count=count,
            )
            mine = self._images[worker_id] = deque(each.image_id for each in drawn)
        return [mine.popleft() for _ in range(min(count, len(mine)))]

    def renew(self, count: int) -> None:
        """Draw `2 * count` images anew if fewer than `count` are left or the stock is too old.

        One draw serves all workers: each image goes to the worker that holds its cell. At least
        `SMALLEST_STOCK_IMAGES` count as wanted.
        """
        count = max(count, SMALLEST_STOCK_IMAGES)
        left = sum(map(len, self._images.values()))
        cells = dict(self._crew.cells)
        fresh = cells == self._cells and time.monotonic() - self._drawn_at < STOCK_STALE_SECONDS
        if fresh and left >= count:
            return
        owner = {cell: worker for worker, held in cells.items() for cell in held}
        drawn = unlabeled.draw_at_random(
            campaign_id=self._crew.campaign.pk, cells=list(owner), count=2 * count
        )
        self._cells = cells
        self._images = {worker: deque() for worker in cells}
        for each in drawn:
            self._images[owner[each.cell]].append(each.image_id)
        self._drawn_at = time.monotonic()

    def clear(self) -> None:
        """Forget all images, because some have left D or the cells have changed."""
        self._images.clear()
        self._cells = dict(self._crew.cells)
        self._drawn_at = 0.0
