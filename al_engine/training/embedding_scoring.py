"""The evidence for strategies about images that a frozen backbone has embedded already."""

from collections.abc import Sequence

import torch
from torch import Tensor

from al_engine.architectures import Classifier
from al_engine.strategies.base import Embeddings
from al_engine.training.embedding_cache import Positions, predict_from_embeddings
from al_engine.training.embedding_file import EmbeddingFile
from al_engine.training.raw_features import project_on_components
from al_engine.training.scoring import Scorer


class EmbeddingScorer:
    """As `Scorer`, by the rows of a file: models are heads on its backbone, no image is read."""

    def __init__(
        self, file: EmbeddingFile, *, device: torch.device, generator: torch.Generator
    ) -> None:
        self._file = file
        self._device = device
        self._generator = generator
        by_heads = _ByHeads(file, device=device, generator=generator)
        self.complete, self.ask = by_heads.complete, by_heads.ask

    def predict(
        self,
        model: Classifier | None,
        positions: Positions,
        *,
        classes: int,
        temperature: float = 1.0,
    ) -> tuple[Tensor, Embeddings]:
        """Class probabilities, float32 (n, C), and embeddings (n, d) of embedded images.

        Embeddings stay on disk until they are indexed. Before the first model all classes are
        equally likely, and the embeddings are principal components, (n, d <= 32).
        """
        known = self._file.among(positions)
        if model is None:
            alike = torch.full((len(positions), classes), 1 / classes)
            return alike, project_on_components(known, generator=self._generator)
        said = predict_from_embeddings(model, known, device=self._device, temperature=temperature)
        return said, known


class _ByHeads(Scorer):
    def __init__(
        self, file: EmbeddingFile, *, device: torch.device, generator: torch.Generator
    ) -> None:
        super().__init__(file.rows, device=device, generator=generator)
        self._file = file

    def ask(self, models: Sequence[Classifier], positions: Positions) -> Tensor:
        known = self._file.among(positions)
        return torch.stack(
            [predict_from_embeddings(model, known, device=self._device) for model in models]
        )
