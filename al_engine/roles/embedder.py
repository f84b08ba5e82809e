"""Embeds a campaign's images in the background, once per machine, for all its processes.

Where the backbone is frozen, servers train and workers select on what is embedded. An embedder
repeats these steps:

1. Embed images that somebody waits for: labels, open queries, the holdout.
2. Else embed the next images of D, in the order of their import.
3. If nothing is missing, report that.

`embedders.py` has the process: it takes the embedders of all campaigns in turn.

It gives way to people: it has the lowest priority, and half of the cores while they label. What is
embedded stays, so that a process that is killed loses the images of a second.
"""

import time
from typing import Final

import numpy as np
import torch

from al_engine.decisions.rules import CELLS
from al_engine.pools import images, labeled, processes, supply, unlabeled
from al_engine.pools.models import Campaign
from al_engine.pools.processes import Part
from al_engine.pools.sizes import sizes
from al_engine.pools.storage import StorageAway
from al_engine.roles.campaign_embeddings import CampaignEmbeddings
from al_engine.roles.campaign_files import (
    ASK_AGAIN_SECONDS,
    ASK_STORAGE_AGAIN_SECONDS,
    Positions,
)
from al_engine.roles.life import Ending
from al_engine.roles.threads import Threads

BLOCK_IMAGES: Final = 64
"""Images that are embedded before those are looked for that somebody waits for."""
_NEWEST_LABELED: Final = 10_000
_READ_URGENT_EVERY_SECONDS: Final = 2.0
_SAY_EVERY_SECONDS: Final = 1.0


class Embedder:
    """Embeds all images of a campaign by one frozen architecture: `step` runs the steps once."""

    def __init__(
        self, campaign: Campaign, part: Part, device: torch.device, ending: Ending
    ) -> None:
        """`part.strategy` is the architecture. Raises MissingWeights and UnfitWeights."""
        self.campaign = campaign
        self.part = part
        self.ending = ending
        self.images = CampaignEmbeddings(campaign, part.strategy, device)
        self.threads = Threads()
        # Positions of D still to embed, in order; those somebody waits for, and when both were
        # read (time.monotonic, seconds).
        self._in_order = self._urgent = np.empty(0, np.int64)
        self._urgent_read_at = float("-inf")
        # The newest image when nothing was missing.
        self._complete_to: int | None = None
        self._look_again_at = 0.0
        # When the storage, which was away, is tried again (time.monotonic, seconds).
        self._away_until = 0.0
        self._said = ""
        self._said_at = float("-inf")
        # Images embedded here, and the seconds that took.
        self._embedded, self._seconds = 0, 0.0

    def step(self) -> bool:
        """Embed a block of images; False if none is missing, or the storage is away."""
        if time.monotonic() < self._away_until:
            return False
        wanted = self._next()
        if not len(wanted):
            self.say(f"all {self.images.file.count_filled():,} images are embedded", idle=True)
            return False
        self.threads.take()
        began, before = time.monotonic(), self.images.file.is_filled(wanted).sum()
        try:
            there = self.images.available(wanted, tell=self._tell)
        except StorageAway as error:
            processes.report(
                process_id=self.part.id, state="waiting for the storage", error=str(error)
            )
            self._said = ""
            self._away_until = time.monotonic() + ASK_STORAGE_AGAIN_SECONDS
            return False
        self._embedded += len(there) - int(before)
        self._seconds += time.monotonic() - began
        return True

    def _next(self) -> Positions:
        """The next images to embed, at most a block; none if all are embedded for now."""
        newest = images.newest_id(campaign_id=self.campaign.pk)
        now = time.monotonic()
        if newest == self._complete_to and now < self._look_again_at:
            return np.empty(0, np.int64)
        if now - self._urgent_read_at >= _READ_URGENT_EVERY_SECONDS:
            self._urgent_read_at = now
            self._urgent = self._read_urgent()
        self._urgent = self.images.due(self._urgent)
        self._in_order = self.images.due(self._in_order)
        if not len(self._in_order):
            everything = unlabeled.all_positions(campaign_id=self.campaign.pk)
            self._in_order = self.images.due(np.array(everything, dtype=np.int64))
        wanted = self._urgent if len(self._urgent) else self._in_order
        if not len(wanted):
            self._complete_to, self._look_again_at = newest, now + ASK_AGAIN_SECONDS
        return wanted[:BLOCK_IMAGES]

    def _read_urgent(self) -> Positions:
        """The images that a server or a worker waits for, labels first."""
        open_queries = supply.open_queries(campaign_id=self.campaign.pk, cells=range(CELLS))
        return np.array(
            [
                *labeled.positions(campaign_id=self.campaign.pk, limit=_NEWEST_LABELED),
                *(query.position for query in open_queries),
                *images.holdout_positions(campaign_id=self.campaign.pk),
            ],
            dtype=np.int64,
        )

    def _tell(self, done: int) -> None:
        """After each second of work: report it, give way to people, end if told to."""
        self.threads.give_way()
        total = self._total()
        there = min(self.images.file.count_filled(), total)
        left = ""
        if self._embedded:
            left = f", {span((total - there) * self._seconds / self._embedded)} left"
        self.say(f"embedding images: {there:,} of {total:,}{left}")
        self.ending.check()

    def _total(self) -> int:
        holdout = images.holdout_positions(campaign_id=self.campaign.pk)
        return sizes(campaign_id=self.campaign.pk).total + len(holdout)

    def say(self, what: str, *, idle: bool = False) -> None:
        """Report what this embedder does now, if that changed, once a second."""
        now = time.monotonic()
        if what == self._said or (self._said and now - self._said_at < _SAY_EVERY_SECONDS):
            return
        self._said, self._said_at = what, now
        processes.report(process_id=self.part.id, state=what, idle=idle, error="")


def span(seconds: float) -> str:
    """A time in words: 40 s, 12 min, 3 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6_000 else f"{seconds / 3600:.0f} h"
