"""g*: publish, newest, read, prune.

A visible version is complete: its weights are stored, whole and under a name of their own, before
the row that has their name and SHA-256 is written.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import F, Max, QuerySet

from al_engine.decisions import rules
from al_engine.pools import signals, storage
from al_engine.pools.models import Campaign, ModelVersion
from al_engine.pools.storage import FileGone

log = logging.getLogger(__name__)
_MOST_ACCURATE = F("accuracy").desc(nulls_last=True)


class WeightsDamaged(Exception):
    """The stored weights of a version are missing or not those that were published."""


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy with its 95 % interval, and the number of images it was measured on."""

    accuracy: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Publication:
    """What a server knows of a model when it publishes it."""

    server_id: int
    architecture: str
    labels_seen: int
    trained_on: int
    train_seconds: float
    holdout: Score | None
    audit: Score | None
    role: str = ModelVersion.Role.SELECTION
    ece: float | None = None
    temperature: float = 1.0


def publish(*, campaign_id: int, weights: bytes, publication: Publication) -> ModelVersion:
    """Store the weights, then the row, and notify waiters. Raises StorageAway."""
    digest = hashlib.sha256(weights).hexdigest()
    key = storage.save(
        f"models/{campaign_id}/{digest[:32]}.safetensors", weights, campaign_id=campaign_id
    )
    holdout, audit = publication.holdout, publication.audit
    row = ModelVersion(
        campaign_id=campaign_id,
        server_id=publication.server_id,
        role=publication.role,
        architecture=publication.architecture,
        labels_seen=publication.labels_seen,
        trained_on=publication.trained_on,
        train_seconds=publication.train_seconds,
        accuracy=holdout.accuracy if holdout else None,
        accuracy_low=holdout.low if holdout else None,
        accuracy_high=holdout.high if holdout else None,
        audit_accuracy=audit.accuracy if audit else None,
        audit_low=audit.low if audit else None,
        audit_high=audit.high if audit else None,
        audit_count=audit.count if audit else 0,
        ece=publication.ece,
        temperature=publication.temperature,
        key=key,
        sha256=digest,
        size=len(weights),
    )
    while True:
        newest = ModelVersion.objects.filter(campaign_id=campaign_id).aggregate(n=Max("version"))
        row.version = (newest["n"] or 0) + 1
        try:
            with transaction.atomic():
                row.save(force_insert=True)
                signals.notify("model", campaign_id)
        except IntegrityError:
            # Another server took this number in the same moment: take the next.
            row.pk = None
            if not ModelVersion.objects.filter(
                campaign_id=campaign_id, version=row.version
            ).exists():
                raise
        else:
            return row


def newest(*, campaign: Campaign) -> ModelVersion | None:
    """g*: the version that workers take, by the campaign's `model_choice`."""
    versions = selecting(campaign=campaign)
    match campaign.model_choice:
        case Campaign.ModelChoice.MOST_LABELS:
            return versions.order_by("-labels_seen", "-version").first()
        case Campaign.ModelChoice.BEST_VALIDATION:
            return versions.order_by(_MOST_ACCURATE, "-version").first()
        case Campaign.ModelChoice.BEST_AUDIT:
            return best_on_audits(campaign=campaign) or versions.order_by("-version").first()
        case _:
            return versions.order_by("-version").first()


def best_on_audits(*, campaign: Campaign) -> ModelVersion | None:
    """The newest version of the architecture that answers best on audits; None without audits.

    Only the newest version of each architecture of the campaign is compared: these were judged on
    nearly the same audits, while an old one may have been lucky on few. What counts is the lower
    bound of the 95 % interval, so that one judged on fewer audits must be the more accurate; of
    equal ones the newer is taken.
    """
    set_now = selecting(campaign=campaign).filter(architecture__in=campaign.model_architectures)
    newest_of_each = set_now.order_by("architecture", "-version").distinct("architecture")
    return most_trusted(newest_of_each)


def most_trusted(versions: Iterable[ModelVersion]) -> ModelVersion | None:
    """Of those judged on audits the one with the highest lower bound, else the newer; or None."""
    judged = [row for row in versions if row.audit_low is not None]
    return max(judged, key=lambda row: (row.audit_low, row.version), default=None)


def stored(*, campaign_id: int) -> QuerySet[ModelVersion]:
    """The versions whose weights are kept."""
    return ModelVersion.objects.filter(campaign_id=campaign_id).exclude(key="")


def selecting(*, campaign: Campaign) -> QuerySet[ModelVersion]:
    """The stored versions that workers may use."""
    return stored(campaign_id=campaign.pk).filter(role=ModelVersion.Role.SELECTION)


def committee(*, campaign: Campaign, size: int) -> list[ModelVersion]:
    """The newest version of each server and architecture, at most `size`, newest first.

    If a single server trains a single architecture, its newest versions form the committee: each
    was trained anew.
    """
    recent = list(selecting(campaign=campaign).order_by("-version")[: 4 * size])
    return rules.committee(
        recent, size, server_of=lambda version: (version.server_id, version.architecture)
    )


def deliverable(*, campaign: Campaign) -> ModelVersion | None:
    """The version to export: the newest for delivery, else the most accurate one."""
    there = stored(campaign_id=campaign.pk)
    delivered = there.filter(role=ModelVersion.Role.DELIVERY)
    return (
        delivered.order_by("-version").first() or there.order_by(_MOST_ACCURATE, "-version").first()
    )


def read_weights(version: ModelVersion) -> bytes:
    """The published bytes. Raises WeightsDamaged if they are gone or changed, or StorageAway."""
    try:
        weights = storage.read(version.key, campaign_id=version.campaign_id)
    except FileGone as error:
        raise WeightsDamaged(
            f"The weights of version {version.version} are gone ({error}). "
            "The next published version replaces it."
        ) from error
    if hashlib.sha256(weights).hexdigest() != version.sha256:
        raise WeightsDamaged(
            f"The weights of version {version.version} are not what was published: "
            f"the SHA-256 of {version.key} differs. The next published version replaces it."
        )
    return weights


def prune(*, campaign_id: int, keep: int = 20) -> int:
    """Delete the weights of all but some versions.

    Kept are the newest `keep`, the newest of each architecture, the most accurate and the delivered
    one. Returns how many were deleted. The rows stay: they are the history of the campaign, and
    queries refer to them.
    """
    there = stored(campaign_id=campaign_id)
    by_age = there.order_by("-version")
    kept = {
        row.pk
        for rows in (
            by_age[:keep],
            by_age.filter(role=ModelVersion.Role.DELIVERY)[:1],
            there.order_by("architecture", "-version").distinct("architecture"),
            there.order_by(_MOST_ACCURATE, "-version")[:1],
        )
        for row in rows
    }
    pruned = 0
    for version in there.exclude(pk__in=kept):
        key, version.key = version.key, ""
        version.save(update_fields=["key"])
        try:
            default_storage.delete(key)
        except OSError as error:
            # No row refers to the file any more: it only takes up space.
            log.warning("%s could not be deleted: %s", key, error)
        pruned += 1
    return pruned
