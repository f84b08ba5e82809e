"""A campaign's images as tensors, read through the cache that all processes of a machine share."""

from pathlib import Path

from django.conf import settings
from torch import Tensor

from al_engine.pools.models import Campaign
from al_engine.roles.campaign_files import CampaignFiles, Positions
from al_engine.training.image_cache import ImageCache


class CampaignImages(CampaignFiles):
    """Images by position, decoded once per machine to the size that the campaign's models see."""

    def __init__(self, campaign: Campaign) -> None:
        side = campaign.model_image_size
        folder = Path(settings.VAR) / "cache" / f"{campaign.pk}-{side}"
        self.cache = ImageCache(folder, image_size=side)
        super().__init__(campaign.pk, self.cache)

    def rows(self, positions: Positions) -> Tensor:
        """The images of filled positions: uint8 (n, 3, S, S)."""
        return self.cache.rows(positions)
