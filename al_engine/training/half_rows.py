"""Logits of very many embeddings that lie in float16, as in a memory-mapped file.

A million rows of 1,280 numbers are 2.6 GB. Whole, they would become 5.1 GB of float32 that go
through memory three times; in blocks that stay in a core's cache, memory is read once.
"""

from typing import Final

import torch
from torch import Tensor

from al_engine.strategies.base import Embeddings
from al_engine.training.embedding_file import MappedEmbeddings

_BLOCK_NUMBERS: Final = 512 * 1_280
"""Of a block's float32 numbers, 2.6 MB: what stays in a core's caches between its two uses."""


@torch.inference_mode()
def logits_of_rows(rows: Embeddings, weight: Tensor, bias: Tensor) -> Tensor:
    """Logits, float32 (n, C), of rows, float16 or float32 (n, d) on the CPU, by a head on the CPU.

    `weight`: float (C, d), `bias`: float (C,). The result lies in memory class by class, as
    (C, n): the product that way round takes half of the time for ten classes. Rows are read block
    by block.
    """
    count, width = rows.shape
    classes = weight.shape[0]
    head, block = weight.float(), max(1, _BLOCK_NUMBERS // width)
    logits = torch.empty(classes, count)
    numbers, said = torch.empty(block, width), torch.empty(classes, block)
    halves = torch.empty(block, width, dtype=torch.float16)
    for start in range(0, count, block):
        size = min(block, count - start)
        if isinstance(rows, MappedEmbeddings):
            here = rows.read(start, halves[:size])
        else:
            here = rows[start : start + size]
        numbers[:size].copy_(here)
        if size < block:  # a product into a part of `said` would be computed apart and copied
            said = said.new_empty(classes, size)
        torch.mm(head, numbers[:size].T, out=said)
        logits[:, start : start + size] = said
    return logits.add_(bias.float()[:, None]).T
