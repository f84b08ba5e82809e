"""A first g* before any label, from what the classes are called.

Where words name the classes, and the weights of the campaign's network have a text tower beside
the images', a server publishes a version once some images are embedded. Workers choose with it
until the first training publishes the next; people never see what it says.
"""

import logging
import time
from typing import Final

import numpy as np
import torch
from torch import Tensor

from al_engine.architectures import MissingWeights, UnfitWeights, text_tower
from al_engine.architectures.text_tower import NoTextTower
from al_engine.decisions.class_words import are_words
from al_engine.pools import versions
from al_engine.pools.models import Campaign, ModelVersion
from al_engine.pools.sizes import sizes
from al_engine.pools.storage import StorageAway
from al_engine.pools.versions import Publication
from al_engine.roles.campaign_embeddings import CampaignEmbeddings
from al_engine.roles.campaign_files import ASK_AGAIN_SECONDS
from al_engine.roles.sight import kind_of
from al_engine.training import checkpoint

log = logging.getLogger(__name__)

_ENOUGH_IMAGES: Final = 32
"""Embedded images that say how long the network's vectors are."""
_FIRST_IMAGES: Final = 4_096


class ZeroShot:
    """Publishes one version from the names of a campaign's classes, if it can and there is none."""

    def __init__(self, campaign: Campaign, server_id: int, device: torch.device) -> None:
        self._campaign = campaign
        self._server_id = server_id
        self._device = device
        self._over = False
        # When it is tried again after the weights or the storage could not be had.
        self._again_at = 0.0

    def publish_once(self) -> ModelVersion | None:
        """The version, if this call published it; the others take no time."""
        if self._over or time.monotonic() < self._again_at or not self._campaign.is_settled:
            return None
        architecture = kind_of(self._campaign.model_architecture)
        classes = dict(self._campaign.choices.order_by("position").values_list("pk", "name"))
        self._over = (
            not text_tower.may_read(architecture)
            or not are_words([*classes.values()])
            or ModelVersion.objects.filter(campaign=self._campaign).exists()
        )
        if self._over:
            return None
        try:
            version = self._publish(architecture, classes)
        except NoTextTower as error:
            self._over = True
            log.warning("%s", error)
            return None
        except (MissingWeights, UnfitWeights, StorageAway) as error:
            self._again_at = time.monotonic() + ASK_AGAIN_SECONDS
            log.warning("The names of the classes are not read for now: %s", error)
            return None
        self._over = version is not None
        return version

    def _publish(self, architecture: str, classes: dict[int, str]) -> ModelVersion | None:
        """The version; None while too few images are embedded."""
        began = time.perf_counter()
        images = CampaignEmbeddings(self._campaign, architecture, self._device)
        there = images.ready(np.arange(_FIRST_IMAGES))[:_ENOUGH_IMAGES]
        if len(there) < min(_ENOUGH_IMAGES, sizes(campaign_id=self._campaign.pk).total):
            return None
        weight = text_tower.head_of_names(architecture, [*classes.values()], images.rows(there))
        version = versions.publish(
            campaign_id=self._campaign.pk,
            weights=self._checkpoint(images, weight, architecture, [*classes]),
            publication=Publication(
                server_id=self._server_id,
                architecture=architecture,
                labels_seen=0,
                trained_on=0,
                train_seconds=time.perf_counter() - began,
                holdout=None,
                audit=None,
            ),
        )
        log.info("Version %d is from the names of the classes.", version.version)
        return version

    def _checkpoint(
        self, images: CampaignEmbeddings, weight: Tensor, architecture: str, choice_ids: list[int]
    ) -> bytes:
        model = images.backbone.with_head(len(choice_ids))
        with torch.no_grad():
            model.head.weight.copy_(weight)
        return checkpoint.to_bytes(
            model,
            architecture=architecture,
            image_size=self._campaign.model_image_size,
            classes=choice_ids,
            backbone=images.backbone.sha256,
        )
