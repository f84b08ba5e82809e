"""`partition = clusters`: each cell of D gets images that look alike (paper, section 3.1).

Workers hold cells, so each worker then selects in a region of its own. An image's cell is at first
a hash; a thread of one worker process replaces it by the image's cluster while people label.
"""

import logging
import threading
from typing import Final

import numpy as np
import torch
from django.db import connection

from al_engine.decisions.architecture import is_published
from al_engine.decisions.rules import CELLS
from al_engine.pools import unlabeled
from al_engine.pools.models import Campaign
from al_engine.pools.storage import StorageAway
from al_engine.roles.campaign_images import CampaignImages
from al_engine.roles.life import UNAVAILABLE
from al_engine.training.raw_features import average_to_grid, group_alike

log = logging.getLogger(__name__)

_IMAGES_A_BLOCK: Final = 4_096
_SIDE_PX: Final = 32
"""Images are compared by 8 × 8 averages, which need no more."""
_UNMOVED_SHARE: Final = 0.1
"""Clustering runs only if more than this share of images still lie in the cell of their hash."""


def move_into_clusters(campaign: Campaign) -> int:
    """Move the images of D into cells by similarity; returns how many changed their cell.

    Does nothing and returns 0 if nearly all were moved before.
    """
    if unlabeled.share_by_hash(campaign_id=campaign.pk) <= _UNMOVED_SHARE:
        return 0
    # Pixels at the size that a frozen backbone sees would take 150 KB an image.
    frozen = is_published(campaign.model_architecture)
    images = CampaignImages(campaign, side=_SIDE_PX if frozen else None)
    everything = unlabeled.all_positions(campaign_id=campaign.pk)
    kept: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    points: list[torch.Tensor] = []
    for start in range(0, len(everything), _IMAGES_A_BLOCK):
        there = images.available(
            np.array(everything[start : start + _IMAGES_A_BLOCK], dtype=np.int64)
        )
        kept.append(there)
        points.append(average_to_grid(images.rows(there)))
    if not points:
        return 0
    generator = torch.Generator().manual_seed(campaign.pk)
    cells = group_alike(torch.cat(points), CELLS, generator=generator).tolist()
    positions = np.concatenate(kept).tolist()
    return unlabeled.move(campaign_id=campaign.pk, cells=dict(zip(positions, cells, strict=True)))


def start_clustering(campaign: Campaign) -> threading.Thread:
    """Run `move_into_clusters` in a thread; failures are logged, and the images stay in place."""

    def work() -> None:
        try:
            moved = move_into_clusters(campaign)
            if moved:
                log.info("%d images lie in cells by what they show now.", moved)
        except (*UNAVAILABLE, StorageAway) as error:
            log.warning("No clusters for now: %s", " ".join(str(error).split()))
        finally:
            connection.close()

    thread = threading.Thread(target=work, name="clusters", daemon=True)
    thread.start()
    return thread
