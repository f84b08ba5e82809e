"""Images from memory or the image cache to the device, read ahead so that it does not wait."""

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from al_engine.training.image_cache import ImageCache

RESIDENT_SHARE: Final = 0.25
"""Images that take up to this share of a device's free memory are kept there while they are used.

A quarter, because the margins for shifted images enlarge them by about half, and laying them out
makes a copy."""
_BATCHES_AHEAD: Final = 3

Part = slice | Tensor
"""Which images: a slice, or int64 (b,) on the CPU."""


@dataclass(frozen=True, slots=True)
class CachedImages:
    """Rows of the image cache by position, int64 (n,), read when they are used.

    Training and prediction take it in place of a tensor of images. Every row must be filled.
    """

    cache: ImageCache
    positions: npt.NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n, 3, S, S)."""
        side = self.cache.image_size
        return len(self.positions), 3, side, side

    @property
    def dtype(self) -> torch.dtype:
        """uint8."""
        return torch.uint8

    def __getitem__(self, part: Part) -> Tensor:
        """Some of the images, uint8 (b, 3, S, S); raises NotFilled."""
        chosen = part.numpy() if isinstance(part, Tensor) else part
        return self.cache.rows(self.positions[chosen])


P = TypeVar("P", slice, Tensor)

Images = Tensor | CachedImages
"""uint8 (n, 3, S, S)."""


def fits_on_device(images: Images, device: torch.device) -> bool:
    """Whether the images can lie on the device while they are used: see `RESIDENT_SHARE`."""
    count, channels, height, width = images.shape
    return count * channels * height * width <= RESIDENT_SHARE * _free_bytes(device)


def copy_to_device(images: Images, device: torch.device) -> Tensor:
    """All the images on the device, uint8 (n, 3, S, S)."""
    return images[:].to(device)


def stream_batches(
    images: Images, parts: Iterable[P], device: torch.device
) -> Generator[tuple[P, Tensor], None, None]:
    """Each part and its images on the device, uint8 (b, 3, S, S).

    A thread reads the next few batches ahead, for a GPU into pinned memory. Errors in reading are
    raised here.
    """
    if isinstance(images, Tensor) and images.device == device:
        for part in parts:
            yield part, images[part]
        return

    def load(part: Part) -> Tensor:
        batch = images[part]
        return batch.pin_memory() if device.type == "cuda" else batch

    with ThreadPoolExecutor(1, thread_name_prefix="feed") as thread:
        waiting: deque[tuple[P, Future[Tensor]]] = deque()
        try:
            for part in parts:
                waiting.append((part, thread.submit(load, part)))
                if len(waiting) > _BATCHES_AHEAD:
                    first, batch = waiting.popleft()
                    yield first, batch.result().to(device, non_blocking=True)
            for first, batch in waiting:
                yield first, batch.result().to(device, non_blocking=True)
        finally:
            thread.shutdown(wait=True, cancel_futures=True)


def _free_bytes(device: torch.device) -> int:
    """Free memory of a GPU; for other devices half of the machine's memory, free or not."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
