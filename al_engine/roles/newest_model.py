"""g* in a worker's memory, and its pass over D.

Where the backbone is frozen, a pass is one matrix product over the images that are embedded so far,
and no image is read.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor

from al_engine.architectures import (
    Classifier,
    MissingWeights,
    UnfitWeights,
    UnknownArchitecture,
    backbone_sha256,
)
from al_engine.decisions.rules import CELLS, MAX_COMMITTEE
from al_engine.pools import labeled, unlabeled, versions
from al_engine.pools.models import Campaign, ModelVersion
from al_engine.pools.storage import StorageAway
from al_engine.pools.supply import OpenQuery
from al_engine.pools.versions import WeightsDamaged
from al_engine.roles.campaign_files import ASK_AGAIN_SECONDS, Positions
from al_engine.roles.sight import EMBEDDED_PASS_IMAGES, Sight, kind_of, rows_of
from al_engine.strategies import Evidence
from al_engine.strategies.base import Embeddings
from al_engine.training import checkpoint, opinions
from al_engine.training.checkpoint import BadCheckpoint
from al_engine.training.scoring import NEWEST_LABELED

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
    """A published model, the ids of its classes, output by output, and how it sees images."""

    model: Classifier
    classes: list[int]
    sight: Sight


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
        self._generator = torch.Generator().manual_seed(campaign.pk)
        # How images are seen: by the loaded model or, before the first, by the next.
        self._sight: Sight | None = None
        # All that versions were loaded for: g* may be of another kind from version to version.
        self._sights: dict[str, Sight] = {}
        # When backbones that could not be had are asked for again (time.monotonic, seconds).
        self._ask_again_at: dict[str, float] = {}
        # The position after which the next pass begins, if D is too large for one pass.
        self._after = -1
        self._limit = _FIRST_PASS_IMAGES

    @property
    def loaded(self) -> bool:
        """Whether there is a model at all."""
        return self._model is not None

    @property
    def embeds_by(self) -> str | int | None:
        """Whose embeddings its passes are made of: those of equal ones are comparable.

        A frozen architecture by name, else the loaded version by id; None before the first.
        """
        if self._model is None:
            return None
        frozen = self._sight.kind if self._sight is not None else ""
        return frozen or self.version_id

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
        self._model, self._classes, self._sight = loaded.model, loaded.classes, loaded.sight
        self._temperature, self._labeled = newest.temperature, None
        self.version_id, self.version_number = newest.pk, newest.version
        return True

    def score(self, wanted: Sequence[Wanted]) -> dict[int, Scored]:
        """The evidence about the images of these workers' D_j and open queries, by worker id.

        All workers share one pass. If D is too large for a pass, the next pass goes on where this
        one ended. Before the first model all classes are equally likely, and the embeddings are
        raw features.
        """
        if self._model is None:
            self._sight = self._open(self.campaign.model_architecture)
        if self._sight is None:
            return {}
        image_ids, positions, owners = self._candidates(wanted, self._sight)
        there = np.isin(positions, self._sight.available(positions, seconds=PASS_SECONDS))
        if not there.any():
            return {}
        image_ids, positions, owners = image_ids[there], positions[there], owners[there]
        scoring = time.monotonic()
        probabilities, embeddings = self._look(self._sight, positions)
        found_out = {}
        for each in wanted:
            mine = np.flatnonzero(owners == each.worker_id)
            part = Evidence(probabilities[mine], rows_of(embeddings, mine))
            if self._model is not None:
                part = self._sight.complete(
                    part,
                    each.strategy,
                    self._model,
                    positions[mine],
                    members=self._opinions,
                    labeled=partial(self._embeddings_of_l, self._sight),
                )
            found_out[each.worker_id] = Scored(image_ids[mine].tolist(), part)
        seconds = max(time.monotonic() - scoring, 1e-3)
        self._limit = max(_FIRST_PASS_IMAGES, int(len(positions) / seconds * PASS_SECONDS))
        return found_out

    def _candidates(
        self, wanted: Sequence[Wanted], sight: Sight
    ) -> tuple[Positions, Positions, Positions]:
        """Image ids, positions and owners (worker ids) of a pass, each int64 (n,)."""
        limit = EMBEDDED_PASS_IMAGES if sight.kind and self._is_quick() else self._limit
        owner = {cell: each.worker_id for each in wanted for cell in each.cells}
        found = unlabeled.candidates(
            campaign_id=self.campaign.pk, cells=list(owner), limit=limit, after=self._after
        )
        self._after = int(found[-1, 1]) if len(found) == limit else -1
        owner_of = np.full(CELLS, -1)
        owner_of[list(owner)] = list(owner.values())
        found[:, 2] = owner_of[found[:, 2]]
        rows = [
            (query.image_id, query.position, each.worker_id)
            for each in wanted
            for query in each.waiting
            if query.purpose == "active"
        ]
        table = np.concatenate([found, np.array(rows, dtype=np.int64).reshape(-1, 3)])
        return table[:, 0], table[:, 1], table[:, 2]

    def _is_quick(self) -> bool:
        """Whether the model scores embeddings by one product: without a kernel before its head."""
        return self._model is not None and isinstance(self._model.kernel, torch.nn.Identity)

    def _look(self, sight: Sight, places: Positions) -> tuple[Tensor, Embeddings]:
        """Class probabilities (n, C) and embeddings (n, d) of these images, in one pass."""
        model = self._model
        return sight.predict(
            model,
            places,
            classes=model.classes if model else self.campaign.choices.count(),
            temperature=self._temperature,
        )

    def _open(self, architecture: str) -> Sight | None:
        """How models of this architecture see images; None if its backbone cannot be had now."""
        kind = kind_of(architecture)
        if kind in self._sights:
            return self._sights[kind]
        if time.monotonic() < self._ask_again_at.get(kind, 0.0):
            return None
        try:
            self._sights[kind] = Sight(self.campaign, kind, self.device, self._generator)
        except (MissingWeights, UnfitWeights, UnknownArchitecture) as error:
            log.warning("%s", error)
            self._ask_again_at[kind] = time.monotonic() + ASK_AGAIN_SECONDS
            return None
        return self._sights[kind]

    def _opinions(self, positions: Positions) -> Tensor | None:
        """What the committee says of images (M, n, C); None with fewer than two members.

        The committee: the newest models of the servers, with their outputs aligned to g*. After a
        class is added, some know it and others do not. A model that sees images in another way
        than g* is asked if its backbone has embedded all of these.
        """
        chosen = versions.committee(campaign=self.campaign, size=MAX_COMMITTEE)
        self.committee = {
            version.pk: member
            for version in chosen
            if (member := self.committee.get(version.pk) or self._load(version)) is not None
        }
        said = []
        for member in self.committee.values():
            model = opinions.align_classes(member.model, has=member.classes, wanted=self._classes)
            sight = member.sight
            if model is not None and (sight is self._sight or sight.has_seen(positions)):
                said.append(sight.ask([model], positions))
        return torch.cat(said) if len(said) > 1 else None

    def _embeddings_of_l(self, sight: Sight) -> Tensor:
        if self._labeled is None:
            positions = labeled.positions(campaign_id=self.campaign.pk, limit=NEWEST_LABELED)
            there = sight.available(np.array(positions, dtype=np.int64), seconds=PASS_SECONDS)
            self._labeled = self._look(sight, there)[1][:].float()
        return self._labeled

    def _load(self, version: ModelVersion) -> Loaded | None:
        """The model of a version; None if its weights are damaged or cannot be had now.

        Damaged versions are remembered and not read again.
        """
        if version.pk in self._damaged:
            return None
        sight = self._open(version.architecture)
        if sight is None:
            return None
        try:
            data = versions.read_weights(version)
            model, metadata = checkpoint.from_bytes(data, device=self.device)
            if sight.kind and metadata.backbone is None:
                _require_backbone(model, sight)
        except (WeightsDamaged, BadCheckpoint) as error:
            log.error("%s", error)
            self._damaged.add(version.pk)
            return None
        except StorageAway as error:
            log.warning("Version %d is not loaded for now: %s", version.version, error)
            return None
        return Loaded(model, metadata.classes, sight)

    def _newest_whole(self) -> ModelVersion | None:
        stored = versions.selecting(campaign=self.campaign)
        return stored.exclude(pk__in=self._damaged).order_by("-version").first()


def _require_backbone(model: Classifier, sight: Sight) -> None:
    """Raise BadCheckpoint if a model that was stored whole has another backbone than that here."""
    if backbone_sha256(model) != sight.backbone_sha256:
        raise BadCheckpoint(
            f"A version of {sight.kind} has another backbone than this machine has under that "
            "name. Give all machines the same weights of it; the next version replaces it."
        )
