"""How a server publishes: a model as bytes, what is known of it, and patience with the storage."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from al_engine.pools import versions
from al_engine.pools.models import ModelVersion
from al_engine.pools.storage import StorageAway
from al_engine.pools.versions import Publication, Score
from al_engine.roles.life import Ending
from al_engine.roles.trainer import Verdict
from al_engine.training import checkpoint
from al_engine.training.evaluate import Evaluation
from al_engine.training.loop import Trained

_PAUSE_SECONDS: Final = 0.5
"""Pause between two attempts to publish while the storage is away."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from.

    `labels_seen`: the size of L when its training began; `trained_on`: of these, without audits.
    `seconds`: how long the round took. `backbone`: the SHA-256 of a published, frozen backbone,
    which is then not stored with each version.
    """

    server_id: int
    role: str
    architecture: str
    image_size: int
    choice_ids: list[int]
    labels_seen: int
    trained_on: int
    seconds: float
    backbone: str | None


def bytes_of(trained: Trained, verdict: Verdict, origin: Origin) -> bytes:
    """The checkpoint of a trained model."""
    return checkpoint.to_bytes(
        trained.model,
        architecture=origin.architecture,
        image_size=origin.image_size,
        classes=origin.choice_ids,
        temperature=verdict.temperature,
        backbone=origin.backbone,
    )


def publication_of(verdict: Verdict, origin: Origin) -> Publication:
    """What the pools keep of a model besides its weights."""
    return Publication(
        server_id=origin.server_id,
        role=origin.role,
        architecture=origin.architecture,
        labels_seen=origin.labels_seen,
        trained_on=origin.trained_on,
        train_seconds=origin.seconds,
        holdout=_score(verdict.holdout),
        audit=_score(verdict.audit),
        ece=verdict.calibration.ece if verdict.calibration else None,
        temperature=verdict.temperature,
    )


def publish(
    campaign_id: int,
    data: bytes,
    publication: Publication,
    *,
    ending: Ending,
    waits: Callable[[StorageAway], None],
) -> ModelVersion:
    """Publish a version; waits while the storage is away, so that no training is lost.

    `waits` is told of each failure. Raises StorageAway only if this process must end.
    """
    while True:
        try:
            return versions.publish(campaign_id=campaign_id, weights=data, publication=publication)
        except StorageAway as error:
            if ending.told():
                raise
            waits(error)
            ending.sleep(_PAUSE_SECONDS)


def _score(found: Evaluation | None) -> Score | None:
    return Score(found.accuracy, found.low, found.high, found.count) if found else None
