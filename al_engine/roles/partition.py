"""`partition = clusters`: each cell of D gets images that look alike (paper, section 3.1).

Workers hold cells, so each worker then selects in a region of its own. An image's cell is at first
a hash; a thread of one worker process replaces it by the image's cluster while people label. Where
the backbone is frozen, images are alike by their embeddings, once most of D is embedded.
"""

import logging
import threading
import time
from contextlib import suppress
from typing import Final

import numpy as np
import torch
from django.db import connection

from al_engine.architectures import MissingWeights, UnfitWeights, UnknownArchitecture
from al_engine.decisions.rules import CELLS
from al_engine.pools import unlabeled
from al_engine.pools.models import Campaign
from al_engine.pools.sizes import sizes
from al_engine.pools.storage import StorageAway
from al_engine.roles.campaign_embeddings import CampaignEmbeddings
from al_engine.roles.campaign_files import Positions
from al_engine.roles.campaign_images import CampaignImages
from al_engine.roles.life import UNAVAILABLE
from al_engine.roles.sight import kind_of
from al_engine.strategies.base import Embeddings
from al_engine.training.raw_features import average_to_grid, group_alike

log = logging.getLogger(__name__)

ASK_AGAIN_SECONDS: Final = 5.0
"""Time until it is looked again how much of D is embedded."""
_IMAGES_A_BLOCK: Final = 4_096
_UNMOVED_SHARE: Final = 0.1
"""Clustering runs only if more than this share of images still lie in the cell of their hash."""
_EMBEDDED_SHARE: Final = 0.95
"""And only if so much of D is embedded: the others stay in the cells of their hashes."""

_NO_BACKBONE: Final = (MissingWeights, UnfitWeights, UnknownArchitecture)


class NotEmbedded(RuntimeError):
    """Too few images of D are embedded to group them; the message says how many."""


def move_into_clusters(campaign: Campaign, device: torch.device) -> int:
    """Move the images of D into cells by similarity; returns how many changed their cell.

    Does nothing and returns 0 if nearly all were moved before. Raises NotEmbedded, and what
    `CampaignEmbeddings` raises on `device`.
    """
    if unlabeled.share_by_hash(campaign_id=campaign.pk) <= _UNMOVED_SHARE:
        return 0
    everything = np.array(unlabeled.all_positions(campaign_id=campaign.pk), dtype=np.int64)
    if frozen := kind_of(campaign.model_architecture):
        positions, points = _embedded(campaign, frozen, everything, device)
    else:
        positions, points = _averaged(campaign, everything)
    generator = torch.Generator().manual_seed(campaign.pk)
    cells = group_alike(points, CELLS, generator=generator).tolist()
    moves = dict(zip(positions.tolist(), cells, strict=True))
    return unlabeled.move(campaign_id=campaign.pk, cells=moves)


def _embedded(
    campaign: Campaign, frozen: str, everything: Positions, device: torch.device
) -> tuple[Positions, Embeddings]:
    """The images that are embedded, (n,), and their embeddings; raises NotEmbedded."""
    images = CampaignEmbeddings(campaign, frozen, device)
    there = images.ready(everything)
    if len(there) < _EMBEDDED_SHARE * len(everything):
        raise NotEmbedded(f"{len(there):,} of {len(everything):,} images of D are embedded.")
    return there, images.file.among(there)


def _averaged(campaign: Campaign, everything: Positions) -> tuple[Positions, Embeddings]:
    """The images that can be read, (n,), and their averages over 8 × 8 parts, (n, 192)."""
    images = CampaignImages(campaign)
    kept = [everything[:0]]
    points = [torch.empty(0, 0)]
    for start in range(0, len(everything), _IMAGES_A_BLOCK):
        there = images.available(everything[start : start + _IMAGES_A_BLOCK])
        kept.append(there)
        points.append(average_to_grid(images.rows(there)))
    return np.concatenate(kept), torch.cat(points[1:] or points)


def start_clustering(campaign: Campaign, device: torch.device) -> threading.Thread:
    """Run `move_into_clusters` in a thread, once D is embedded if that is to come.

    Failures are logged, and the images stay in place.
    """

    def work() -> None:
        try:
            moved = _move_when_embedded(campaign, device)
            if moved:
                log.info("%d images lie in cells by what they show now.", moved)
        except (*UNAVAILABLE, *_NO_BACKBONE, StorageAway) as error:
            log.warning("No clusters for now: %s", " ".join(str(error).split()))
        finally:
            connection.close()

    thread = threading.Thread(target=work, name="clusters", daemon=True)
    thread.start()
    return thread


def _move_when_embedded(campaign: Campaign, device: torch.device) -> int:
    while True:
        # All of D is read only once it may be enough.
        if _may_be_embedded(campaign, device):
            with suppress(NotEmbedded):
                return move_into_clusters(campaign, device)
        connection.close()  # who waits needs none
        time.sleep(ASK_AGAIN_SECONDS)


def _may_be_embedded(campaign: Campaign, device: torch.device) -> bool:
    """Whether as many images are embedded, of D or not, as would be enough of D."""
    if not (frozen := kind_of(campaign.model_architecture)):
        return True
    filled = CampaignEmbeddings(campaign, frozen, device).file.count_filled()
    return filled >= _EMBEDDED_SHARE * sizes(campaign_id=campaign.pk).unlabeled
