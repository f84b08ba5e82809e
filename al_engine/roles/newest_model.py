"""g* in a worker's memory, and its pass over D."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from al_engine.architectures import Classifier
from al_engine.decisions.rules import MAX_COMMITTEE
from al_engine.pools import labeled, unlabeled, versions
from al_engine.pools.models import Campaign, ModelVersion
from al_engine.pools.storage import StorageAway
from al_engine.pools.supply import OpenQuery
from al_engine.pools.versions import WeightsDamaged
from al_engine.roles.campaign_images import CampaignImages
from al_engine.strategies import Evidence
from al_engine.training import checkpoint, opinions
from al_engine.training.checkpoint import BadCheckpoint
from al_engine.training.embedding_cache import Positions
from al_engine.training.scoring import NEWEST_LABELED, Scorer

log = logging.getLogger(__name__)

PASS_SECONDS: Final = 4.0
"""Target duration of a pass over D_j; a larger D_j is scored in several passes."""
_FIRST_PASS_IMAGES: Final = 2_048


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a worker wants scored: the images of its cells, and those of its open queries."""

    worker_id: int
    cells: Sequence[int]
    waiting: Sequence[OpenQuery]
    strategy: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """A published model, and the ids of its classes, output by output."""

    model: Classifier
    classes: list[int]


@dataclass(frozen=True, slots=True)
class Scored:
    """The result of a pass for one worker: n image ids, and the evidence about them."""

    image_ids: list[int]
    evidence: Evidence


class NewestModel:
    """The version that the workers of one process score with."""

    def __init__(self, campaign: Campaign, device: torch.device) -> None:
        self.campaign = campaign
        self.device = device
        self.images = CampaignImages(campaign)
        self.version_id: int | None = None
        self.version_number: int | None = None
        self._model: Classifier | None = None
        self._classes: list[int] = []
        self._temperature = 1.0
        # Models by version id, for strategies that ask a committee.
        self.committee: dict[int, Loaded] = {}
        # Embeddings of L by the loaded version; None until a strategy needs them.
        self._labeled: Tensor | None = None
        self._damaged: set[int] = set()
        self._scorer = Scorer(
            self.images.rows,
            device=device,
            generator=torch.Generator().manual_seed(campaign.pk),
        )
        # The position after which the next pass begins, if D is too large for one pass.
        self._after = -1
        self._limit = _FIRST_PASS_IMAGES

    @property
    def loaded(self) -> bool:
        """Whether there is a model at all."""
        return self._model is not None

    def take_newest(self, say: Callable[[str], None]) -> bool:
        """Load g* if it is not the loaded version; returns whether another version was loaded.

        A version with damaged weights is passed over: the loaded version stays in use, and a
        process without one takes the newest undamaged version.
        """
        newest = versions.newest(campaign=self.campaign)
        if newest is not None and newest.pk in self._damaged:
            newest = None if self.loaded else self._newest_whole()
        if newest is None or newest.pk == self.version_id:
            return False
        say(f"loading version {newest.version}")
        loaded = self._load(newest)
        if loaded is None:
            # If the storage is away, the next round tries again.
            return newest.pk in self._damaged and self.take_newest(say)
        self._model, self._classes = loaded.model, loaded.classes
        self._temperature, self._labeled = newest.temperature, None
        self.version_id, self.version_number = newest.pk, newest.version
        return True

    def score(self, wanted: Sequence[Wanted]) -> dict[int, Scored]:
        """The evidence about the images of these workers' D_j and open queries, by worker id.

        All workers share one pass. If D is too large for a pass, the next pass goes on where this
        one ended. Before the first model all classes are equally likely, and the embeddings are
        raw features.
        """
        owner = {cell: each.worker_id for each in wanted for cell in each.cells}
        found = unlabeled.candidates(
            campaign_id=self.campaign.pk,
            cells=list(owner),
            limit=self._limit,
            after=self._after,
        )
        self._after = found[-1].position if len(found) == self._limit else -1
        rows = [(each.position, each.image_id, owner[each.cell]) for each in found]
        rows += [
            (query.position, query.image_id, each.worker_id)
            for each in wanted
            for query in each.waiting
            if query.purpose == "active"
        ]
        positions = np.array([position for position, _, _ in rows], dtype=np.int64)
        there = set(self.images.available(positions, seconds=PASS_SECONDS).tolist())
        rows = [row for row in rows if row[0] in there]
        if not rows:
            return {}
        scoring = time.monotonic()
        places = np.array([position for position, _, _ in rows], dtype=np.int64)
        probabilities, embeddings = self._look(places)
        found_out = {}
        for each in wanted:
            mine = [place for place, row in enumerate(rows) if row[2] == each.worker_id]
            part = Evidence(probabilities[mine], embeddings[mine])
            if self._model is not None:
                part = self._scorer.complete(
                    part,
                    each.strategy,
                    self._model,
                    places[mine],
                    members=self._members,
                    labeled=self._embeddings_of_l,
                )
            found_out[each.worker_id] = Scored([rows[place][1] for place in mine], part)
        seconds = max(time.monotonic() - scoring, 1e-3)
        self._limit = max(_FIRST_PASS_IMAGES, int(len(rows) / seconds * PASS_SECONDS))
        return found_out

    def _look(self, places: Positions) -> tuple[Tensor, Tensor]:
        """Class probabilities (n, C) and embeddings (n, d) of these images, in one pass."""
        model = self._model
        return self._scorer.predict(
            model,
            places,
            classes=model.classes if model else self.campaign.choices.count(),
            temperature=self._temperature,
        )

    def _members(self) -> list[Classifier]:
        """The committee: the newest models of the servers, with their outputs aligned to g*.

        After a class is added, the newest models of some servers know it and those of others do
        not.
        """
        chosen = versions.committee(campaign=self.campaign, size=MAX_COMMITTEE)
        self.committee = {
            version.pk: member
            for version in chosen
            if (member := self.committee.get(version.pk) or self._load(version)) is not None
        }
        alike = (
            opinions.align_classes(member.model, has=member.classes, wanted=self._classes)
            for member in self.committee.values()
        )
        return [model for model in alike if model is not None]

    def _embeddings_of_l(self) -> Tensor:
        if self._labeled is None:
            positions = labeled.positions(campaign_id=self.campaign.pk, limit=NEWEST_LABELED)
            there = self.images.available(np.array(positions, dtype=np.int64), seconds=PASS_SECONDS)
            self._labeled = self._look(there)[1]
        return self._labeled

    def _load(self, version: ModelVersion) -> Loaded | None:
        """The model of a version; None if the storage is away or its weights are damaged.

        Damaged versions are remembered and not read again.
        """
        if version.pk in self._damaged:
            return None
        try:
            data = versions.read_weights(version)
            model, metadata = checkpoint.from_bytes(data, device=self.device)
        except (WeightsDamaged, BadCheckpoint) as error:
            log.error("%s", error)
            self._damaged.add(version.pk)
            return None
        except StorageAway as error:
            log.warning("Version %d is not loaded for now: %s", version.version, error)
            return None
        return Loaded(model, metadata.classes)

    def _newest_whole(self) -> ModelVersion | None:
        stored = versions.selecting(campaign=self.campaign)
        return stored.exclude(pk__in=self._damaged).order_by("-version").first()
