"""Images decoded once per machine, in a memory-mapped array shared by all its processes.

`filled_rows.py` says how rows are shared. Here a row is an image's pixels, in `images.u8`.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from al_engine.training.decoding import decode_all
from al_engine.training.filled_rows import FilledRows, FillReport, Made, NotFilled

__all__ = ["CHUNK_IMAGES", "FillReport", "ImageCache", "NotFilled"]

# Rows that a process locks, fills and flushes to disk at a time.
CHUNK_IMAGES = 256


class ImageCache:
    """uint8 (capacity, 3, S, S) on disk; a row is an image's `position` in its campaign, from 0.

    Any number of processes may read, fill and grow one cache at the same time.
    """

    def __init__(self, folder: Path, *, image_size: int) -> None:
        """Open or create the cache; raises ValueError if it holds another image size."""
        self.image_size = image_size
        self._rows = FilledRows(
            folder,
            data="images.u8",
            shape=(3, image_size, image_size),
            dtype=np.uint8,
            guard=("image_size", str(image_size)),
        )

    def grow(self, count: int) -> None:
        """Make room for at least `count` images; empty rows take no disk. Raises DiskFull."""
        self._rows.grow(count)

    def fill(
        self,
        positions: Iterable[int],
        read: Callable[[int], bytes],
        *,
        threads: int = 4,
        progress: Callable[[int], None] | None = None,
    ) -> FillReport:
        """Decode the missing images at these positions; see `FilledRows.fill`.

        `read` returns the bytes of a position's file; if it raises FileNotFoundError, a later call
        tries again.
        """

        def make(places: list[int], pool: Executor) -> Iterable[Made]:
            return decode_all(places, read, pool, image_size=self.image_size)

        return self._rows.fill(
            positions, make, chunk_rows=CHUNK_IMAGES, threads=threads, progress=progress
        )

    def forget(self, positions: npt.ArrayLike) -> None:
        """Mark broken images at these positions as missing: their files may have changed."""
        self._rows.forget(positions)

    def rows(self, positions: npt.ArrayLike) -> Tensor:
        """A copy of these rows, uint8 (n, 3, S, S); raises NotFilled if any is not filled."""
        return torch.from_numpy(self._rows.take(positions))

    def is_filled(self, positions: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each of these rows holds an image; False beyond the cache's end."""
        return self._rows.is_filled(positions)

    def missing(self, positions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The positions, in the given order, that are neither filled nor broken."""
        return self._rows.missing(positions)
