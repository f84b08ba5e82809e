"""g* in a worker's memory, and its pass over D."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch

from al_engine.architectures import Classifier
from al_engine.pools import unlabeled, versions
from al_engine.pools.models import Campaign, ModelVersion
from al_engine.pools.query import OpenQuery
from al_engine.pools.versions import WeightsDamaged
from al_engine.roles.campaign_images import CampaignImages
from al_engine.roles.selector import Scored
from al_engine.training import checkpoint
from al_engine.training.checkpoint import BadCheckpoint
from al_engine.training.evaluate import predict

log = logging.getLogger(__name__)

PASS_SECONDS: Final = 4.0
"""A pass over D_j takes about so long at most: what is larger is scored in turns."""
_FIRST_PASS: Final = 2_048


class NewestModel:
    """The version that the workers of one process score with."""

    def __init__(self, campaign: Campaign, device: torch.device) -> None:
        self.campaign = campaign
        self.device = device
        self.images = CampaignImages(campaign)
        self.version_id: int | None = None
        self.version_number: int | None = None
        self._model: Classifier | None = None
        self._damaged: set[int] = set()
        # Where the next pass over a D that is too large for one begins.
        self._after = -1
        self._limit = _FIRST_PASS

    @property
    def loaded(self) -> bool:
        """Whether there is a model at all."""
        return self._model is not None

    def take_newest(self, say: Callable[[str], None]) -> bool:
        """Load g* if it is not the one in hand; tell whether there was one to load.

        A version whose weights are damaged is passed over: the one in hand goes on, and a
        process that has none yet takes the newest of the others.
        """
        newest = versions.newest(campaign=self.campaign)
        if newest is not None and newest.pk in self._damaged:
            newest = None if self.loaded else self._newest_whole()
        if newest is None or newest.pk == self.version_id:
            return False
        say(f"loading version {newest.version}")
        try:
            data = versions.read_weights(newest)
            self._model, _ = checkpoint.from_bytes(data, device=self.device)
        except (WeightsDamaged, BadCheckpoint) as error:
            log.error("%s", error)
            self._damaged.add(newest.pk)
            return self.take_newest(say)
        self.version_id, self.version_number = newest.pk, newest.version
        return True

    def _newest_whole(self) -> ModelVersion | None:
        stored = versions.selecting(campaign=self.campaign)
        return stored.exclude(pk__in=self._damaged).order_by("-version").first()

    def score(
        self, wanted: Sequence[tuple[int, Sequence[int], Sequence[OpenQuery]]]
    ) -> dict[int, Scored]:
        """Class probabilities of the images of these workers' D_j and of their open queries.

        `wanted` has (worker id, its cells, its open queries). One straight pass for all; the
        result is by worker id. A D too large for the time is scored in turns, from where the
        last pass ended.
        """
        if self._model is None:
            return {}
        owner = {cell: worker_id for worker_id, cells, _ in wanted for cell in cells}
        found = unlabeled.candidates(
            campaign_id=self.campaign.pk,
            cells=list(owner),
            limit=self._limit,
            after=self._after,
        )
        self._after = found[-1].position if len(found) == self._limit else -1
        rows = [(each.position, each.image_id, owner[each.cell]) for each in found]
        rows += [
            (each.position, each.image_id, worker_id)
            for worker_id, _, waiting in wanted
            for each in waiting
            if each.purpose == "active"
        ]
        positions = np.array([position for position, _, _ in rows], dtype=np.int64)
        there = set(self.images.available(positions, seconds=PASS_SECONDS).tolist())
        rows = [row for row in rows if row[0] in there]
        if not rows:
            return {}
        scoring = time.monotonic()
        probabilities = predict(
            self._model,
            self.images.rows(np.array([position for position, _, _ in rows], dtype=np.int64)),
            device=self.device,
        )
        seconds = max(time.monotonic() - scoring, 1e-3)
        self._limit = max(_FIRST_PASS, int(len(rows) / seconds * PASS_SECONDS))
        return {worker_id: _of_worker(rows, probabilities, worker_id) for worker_id, _, _ in wanted}


def _of_worker(
    rows: list[tuple[int, int, int]], probabilities: torch.Tensor, worker_id: int
) -> Scored:
    mine = [place for place, (_, _, owner) in enumerate(rows) if owner == worker_id]
    return Scored([rows[place][1] for place in mine], probabilities[mine])
