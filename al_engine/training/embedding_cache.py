"""Embeddings by a frozen backbone: they never change, so each image is embedded once."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from al_engine.architectures import Classifier
from al_engine.strategies.base import Embeddings
from al_engine.training.evaluate import predict_with_features
from al_engine.training.half_rows import logits_of_rows

Positions = npt.NDArray[np.int64]
_IMAGES_A_BLOCK = 4_096
_ROWS_A_BLOCK_GPU = 16_384
_ROWS_A_BLOCK_CPU = 1_024


class EmbeddingCache:
    """Embeddings by image position, in memory at half precision: 1 KB an image at width 512.

    All models share one frozen backbone; a model with another backbone empties the cache.
    """

    def __init__(self) -> None:
        self._rows = torch.empty(0, 0, dtype=torch.float16)
        self._filled = np.zeros(0, dtype=np.bool_)
        self._backbone: Tensor | None = None

    def of(
        self,
        model: Classifier,
        positions: Positions,
        read: Callable[[Positions], Tensor],
        *,
        device: torch.device,
    ) -> Tensor:
        """The embeddings, float32 (n, width), of the images at `positions`, int64 (n,).

        `read` returns the images, uint8 (m, 3, S, S), at given positions. It is called in blocks
        and only for positions that are not cached.
        """
        self._prepare(model, int(positions.max(initial=-1)) + 1)
        missing = np.unique(positions[~self._filled[positions]])
        for start in range(0, len(missing), _IMAGES_A_BLOCK):
            block = missing[start : start + _IMAGES_A_BLOCK]
            _, made = predict_with_features(model, read(block), device=device)
            self._rows[torch.from_numpy(block)] = made.half()
            self._filled[block] = True
        return self._rows[torch.from_numpy(positions)].float()

    def _prepare(self, model: Classifier, capacity: int) -> None:
        # The first tensor tells backbones apart: two weight files differ in every tensor.
        mark = next(model.backbone.parameters()).detach().cpu()
        if self._backbone is None or not torch.equal(self._backbone, mark):
            self._backbone = mark.clone()
            self._rows = torch.empty(0, model.width, dtype=torch.float16)
            self._filled = np.zeros(0, dtype=np.bool_)
        if capacity > len(self._filled):
            # Grow by half more than needed, because images are imported in several runs.
            more = capacity + capacity // 2 - len(self._filled)
            rows = torch.empty(more, self._rows.shape[1], dtype=torch.float16)
            self._rows = torch.cat([self._rows, rows])
            self._filled = np.concatenate([self._filled, np.zeros(more, dtype=np.bool_)])


@torch.inference_mode()
def predict_from_embeddings(
    model: Classifier, embeddings: Embeddings, *, device: torch.device, temperature: float = 1.0
) -> Tensor:
    """Class probabilities, float32 (n, C) on the CPU, from embeddings, float (n, width)."""
    head, kernel, count = model.head.to(device), model.kernel.to(device), embeddings.shape[0]
    if device.type == "cpu" and isinstance(kernel, nn.Identity):
        # Class by class, as they lie in memory: that way round a softmax takes a ninth of the time.
        logits = logits_of_rows(embeddings, head.weight, head.bias).T
        return functional.softmax(logits.div_(temperature), dim=0).T.contiguous()
    said = torch.empty(count, model.classes)
    block = _ROWS_A_BLOCK_CPU if device.type == "cpu" else _ROWS_A_BLOCK_GPU
    for start in range(0, count, block):
        part = slice(start, min(start + block, count))
        logits = head(kernel(embeddings[part].to(device).float())) / temperature
        said[part] = functional.softmax(logits, dim=1)
    return said
