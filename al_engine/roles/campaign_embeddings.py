"""A campaign's images as a frozen backbone sees them: embedded once per machine.

Images are decoded, embedded and dropped: at 224 px pixels would take sixty times the room of the
embeddings.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from django.conf import settings
from torch import Tensor

from al_engine.embedded import folder_name
from al_engine.pools.models import Campaign
from al_engine.roles.campaign_files import CampaignFiles, Positions
from al_engine.training import backbones
from al_engine.training.backbones import Backbone
from al_engine.training.embedding_file import EmbeddingFile
from al_engine.training.filled_rows import FillReport


class CampaignEmbeddings(CampaignFiles):
    """Embeddings by position, of one campaign and one frozen architecture."""

    def __init__(self, campaign: Campaign, architecture: str, device: torch.device) -> None:
        """Open the campaign's file. Raises what `backbones.published` raises."""
        self.architecture = architecture
        self.backbone = backbones.published(
            architecture, image_size=campaign.model_image_size, device=device
        )
        self.file = EmbeddingFile(_folder(campaign, architecture, self.backbone), self.width)
        super().__init__(
            campaign.pk, _Embedded(self.file, self.backbone, campaign.model_image_size)
        )

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        return self.backbone.width

    def ready(self, positions: Positions) -> Positions:
        """Those of these positions that are embedded, in the given order; reads no image."""
        return positions[self.file.is_filled(positions)]

    def rows(self, positions: Positions) -> Tensor:
        """The embeddings of filled positions: float32 (n, width)."""
        return self.file.rows(positions)


class _Embedded:
    """The file of embeddings as rows that a campaign's files are read into."""

    def __init__(self, file: EmbeddingFile, backbone: Backbone, image_size: int) -> None:
        self._file = file
        self._backbone = backbone
        self._image_size = image_size
        self.forget = file.forget
        self.is_filled = file.is_filled
        self.missing = file.missing

    def fill(
        self,
        positions: Iterable[int],
        read: Callable[[int], bytes],
        *,
        progress: Callable[[int], None],
    ) -> FillReport:
        return self._file.fill(
            positions,
            read,
            self._backbone.embed,
            image_size=self._image_size,
            progress=progress,
        )


def _folder(campaign: Campaign, architecture: str, backbone: Backbone) -> Path:
    name = folder_name(
        campaign_id=campaign.pk,
        architecture=architecture,
        image_size=campaign.model_image_size,
        sha256=backbone.sha256,
    )
    return Path(settings.VAR) / "cache" / name
