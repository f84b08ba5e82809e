"""How the images of a campaign reach a worker's models: as pixels, or embedded by a backbone."""

from typing import Final

import torch
from torch import Tensor

from al_engine.architectures import Classifier
from al_engine.decisions.architecture import backbone_of, is_published
from al_engine.pools import processes
from al_engine.pools.models import Campaign
from al_engine.roles.campaign_embeddings import CampaignEmbeddings
from al_engine.roles.campaign_files import Positions
from al_engine.roles.campaign_images import CampaignImages
from al_engine.strategies.base import Embeddings
from al_engine.training.embedding_file import MappedEmbeddings
from al_engine.training.embedding_scoring import EmbeddingScorer
from al_engine.training.scoring import Scorer

EMBEDDED_PASS_IMAGES: Final = 250_000
"""Images in a pass over embeddings with a model: a fraction of a second."""


def kind_of(architecture: str) -> str:
    """What a sight is for: a frozen backbone by name, or with "" all that learn."""
    return backbone_of(architecture) if is_published(architecture) else ""


class Sight:
    """The images of a campaign as models of one kind see them, and the scorer of these."""

    def __init__(
        self, campaign: Campaign, kind: str, device: torch.device, generator: torch.Generator
    ) -> None:
        """Raises MissingWeights or UnfitWeights if the backbone of this kind cannot be had."""
        self.kind = kind
        self._campaign_id = campaign.pk
        self._images: CampaignImages | CampaignEmbeddings
        self._scorer: Scorer | EmbeddingScorer
        if kind:
            embeddings = CampaignEmbeddings(campaign, kind, device)
            self._images = embeddings
            self._scorer = EmbeddingScorer(embeddings.file, device=device, generator=generator)
        else:
            images = CampaignImages(campaign)
            self._images = images
            self._scorer = Scorer(images.rows, device=device, generator=generator)
        self.complete, self.ask = self._scorer.complete, self._scorer.ask

    @property
    def backbone_sha256(self) -> str | None:
        """The digest of the backbone that embeds; None for pixels."""
        images = self._images
        return images.backbone.sha256 if isinstance(images, CampaignEmbeddings) else None

    def available(self, positions: Positions, *, seconds: float) -> Positions:
        """Those of these positions that are read or embedded, in the given order.

        Reads more of them for about `seconds`, unless an embedder on this machine does that.
        """
        images = self._images
        if isinstance(images, CampaignEmbeddings) and processes.is_embedding_here(
            campaign_id=self._campaign_id, architecture=self.kind
        ):
            return images.ready(positions)
        return images.available(positions, seconds=seconds)

    def has_seen(self, positions: Positions) -> bool:
        """Whether all images at these positions are embedded; False for pixels."""
        images = self._images
        return isinstance(images, CampaignEmbeddings) and bool(
            images.file.is_filled(positions).all()
        )

    def predict(
        self,
        model: Classifier | None,
        positions: Positions,
        *,
        classes: int,
        temperature: float,
    ) -> tuple[Tensor, Embeddings]:
        """Class probabilities (n, C) and embeddings (n, d) of available images."""
        return self._scorer.predict(model, positions, classes=classes, temperature=temperature)


def rows_of(embeddings: Embeddings, rows: Positions) -> Embeddings:
    """Some rows of embeddings; what lies on disk is not read."""
    return embeddings.only(rows) if isinstance(embeddings, MappedEmbeddings) else embeddings[rows]
