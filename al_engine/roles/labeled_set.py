"""L as one server follows it: only changes are read, except after a reconnection."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from django.db import connection
from torch import Tensor

from al_engine.pools import labeled
from al_engine.pools.labeled import Labeled
from al_engine.pools.models import Image


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Examples: rows of the image cache, class indices and weights.

    `positions`: int64 (n,). `targets`: int64 (n,). `weights`: float32 (n,).
    """

    positions: npt.NDArray[np.int64]
    targets: Tensor
    weights: Tensor

    @classmethod
    def of(
        cls, positions: list[int], targets: list[int], weights: list[float] | None = None
    ) -> Self:
        """Examples from plain lists; without `weights` all weights are 1."""
        return cls(
            np.array(positions, dtype=np.int64),
            torch.tensor(targets, dtype=torch.long),
            torch.tensor(weights or [1.0] * len(positions), dtype=torch.float32),
        )

    def only(self, positions: npt.NDArray[np.int64]) -> Self:
        """The examples at these positions."""
        there = np.isin(self.positions, positions)
        mask = torch.from_numpy(there)
        return type(self)(self.positions[there], self.targets[mask], self.weights[mask])


@dataclass(frozen=True, slots=True)
class Gathered:
    """The input of a training: class ids by output, the size of L, and the examples.

    `coming`: labels whose images are not embedded yet; they count neither as seen nor in the size.
    """

    choice_ids: list[int]
    labels_seen: int
    examples: TrainingSet
    coming: int


def holdout(campaign_id: int, choice_ids: list[int]) -> TrainingSet:
    """The holdout images, whose class was known beforehand."""
    index_of = {choice_id: index for index, choice_id in enumerate(choice_ids)}
    rows = list(
        Image.objects.filter(
            campaign_id=campaign_id,
            split=Image.Split.HOLDOUT,
            state=Image.State.RESERVED,
            known_choice__in=choice_ids,
        )
        .order_by("position")
        .values_list("position", "known_choice_id")
    )
    return TrainingSet.of(
        [position for position, _ in rows],
        [index_of[choice] for _, choice in rows if choice is not None],
    )


class LabeledSet:
    """The images of L by id, kept up to date from the transaction horizon of the last reading.

    A database crash may lose the last commits, which were not acknowledged, and reuse their
    transaction ids. So all of L is read again over a new connection.
    """

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        self._over: object = None
        self._since = 0
        self._images: dict[int, Labeled] = {}
        # Counts changes rather than labels, so that an undone and repeated label counts as news.
        self.changes = 0

    def __len__(self) -> int:
        return len(self._images)

    def read_changes(self) -> None:
        """Read what changed in L since the last call."""
        connection.ensure_connection()
        known = connection.connection is self._over
        rows, self._since = labeled.follow(
            campaign_id=self.campaign_id, since=self._since if known else 0
        )
        self._over = connection.connection
        if not known:
            for image_id in self._images.keys() - {row.image_id for row in rows}:
                del self._images[image_id]
                self.changes += 1
        for row in rows:
            if row == self._images.get(row.image_id):
                continue  # read a second time
            if row.choice_id is not None:
                self._images[row.image_id] = row
                self.changes += 1
            elif self._images.pop(row.image_id, None) is not None:
                self.changes += 1

    def examples(self, choice_ids: list[int], *, audit: bool) -> TrainingSet:
        """The audit labels, or all other labels: audits must stay out of training.

        An example's weight is the confidence of its consensus.
        """
        index_of = {choice_id: index for index, choice_id in enumerate(choice_ids)}
        rows = [
            row
            for row in self._images.values()
            if (row.purpose == "audit") is audit and row.choice_id in index_of
        ]
        # Sort, so that the same seed gives the same model whatever the order of reading.
        rows.sort(key=lambda row: row.position)
        return TrainingSet.of(
            [row.position for row in rows],
            [index_of[row.choice_id] for row in rows if row.choice_id is not None],
            [row.confidence for row in rows],
        )
