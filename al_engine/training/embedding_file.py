"""Embeddings by a frozen backbone: made once per machine, in a file that all its processes map.

`filled_rows.py` says how rows are shared. Here a row is an image's embedding at half precision, in
`embeddings.f16`: 2.5 KB an image at width 1,280.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from al_engine import embedded
from al_engine.training.decoding import decode_all
from al_engine.training.filled_rows import FilledRows, FillReport, Made, Row, as_positions

CHUNK_IMAGES: Final = 32
"""Images that a process locks, embeds and flushes at a time: a second of two cores at 224 px."""
_LARGEST: Final = float(np.finfo(np.float16).max)

Embed = Callable[[Tensor], Tensor]
"""Embeddings, float (n, width), of images, uint8 (n, 3, S, S)."""


class EmbeddingFile:
    """float16 (capacity, width) on disk; a row is an image's `position` in its campaign, from 0.

    Any number of processes may read, fill and grow one file at the same time. Several of them may
    embed the same image: their embeddings differ by rounding at most, and each row is whole.
    """

    def __init__(self, folder: Path, width: int) -> None:
        """Open or create the file; raises ValueError if it holds another width."""
        self.width = width
        self._rows = FilledRows(
            folder,
            data=embedded.DATA,
            shape=(width,),
            dtype=np.float16,
            guard=(embedded.WIDTH, str(width)),
        )

    def grow(self, count: int) -> None:
        """Make room for at least `count` images; empty rows take no disk. Raises DiskFull."""
        self._rows.grow(count)

    def write(self, positions: npt.ArrayLike, rows: Tensor) -> None:
        """Store embeddings, float (n, width), of the images at `positions`, (n,).

        A row counts as filled only after it was written whole. Raises DiskFull.
        """
        places = as_positions(positions)
        if not len(places):
            return
        self.grow(int(places.max()) + 1)
        self._rows.store(zip(places.tolist(), _halved(rows), strict=True), marks={})

    def fill(
        self,
        positions: Iterable[int],
        read: Callable[[int], bytes],
        embed: Embed,
        *,
        image_size: int,
        threads: int = 4,
        progress: Callable[[int], None] | None = None,
    ) -> FillReport:
        """Decode the missing images at these positions, embed them and drop their pixels.

        See `FilledRows.fill`. `read` returns the bytes of a position's file; if it raises
        FileNotFoundError, a later call tries again. `image_size` is the side (px) that `embed` is
        given.
        """

        def make(places: list[int], pool: Executor) -> Iterable[Made]:
            decoded = list(decode_all(places, read, pool, image_size=image_size))
            good = [each for each in decoded if isinstance(each, np.ndarray)]
            seen: Iterator[Row] = iter(())
            if good:
                seen = iter(_halved(embed(torch.from_numpy(np.stack(good)))))
            return [next(seen) if isinstance(each, np.ndarray) else each for each in decoded]

        return self._rows.fill(
            positions, make, chunk_rows=CHUNK_IMAGES, threads=threads, progress=progress
        )

    def forget(self, positions: npt.ArrayLike) -> None:
        """Mark broken images at these positions as missing: their files may have changed."""
        self._rows.forget(positions)

    def rows(self, positions: npt.ArrayLike) -> Tensor:
        """These embeddings, float32 (n, width); raises NotFilled if any is not filled."""
        return torch.from_numpy(self._rows.take(positions)).float()

    def among(self, positions: npt.ArrayLike) -> "MappedEmbeddings":
        """These embeddings without reading them; all must be filled."""
        return MappedEmbeddings(self._rows.mapped, as_positions(positions))

    def is_filled(self, positions: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each of these images is embedded; False beyond the file's end."""
        return self._rows.is_filled(positions)

    def missing(self, positions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The positions, in the given order, that are neither embedded nor broken."""
        return self._rows.missing(positions)

    def count_filled(self) -> int:
        """How many images are embedded."""
        return self._rows.count_filled()


class MappedEmbeddings:
    """n rows of the file, read only where they are indexed; stands in for a tensor (n, width)."""

    def __init__(self, mapped: npt.NDArray[np.float16], positions: npt.NDArray[np.int64]) -> None:
        self._mapped = mapped
        self._positions = positions

    @property
    def shape(self) -> tuple[int, int]:
        """(n, width)."""
        return len(self._positions), int(self._mapped.shape[1])

    @property
    def device(self) -> torch.device:
        """The CPU."""
        return torch.device("cpu")

    def only(self, rows: npt.NDArray[np.int64]) -> "MappedEmbeddings":
        """Some of the rows, int64 (m,), without reading them."""
        return MappedEmbeddings(self._mapped, self._positions[rows])

    def read(self, start: int, out: Tensor) -> Tensor:
        """Rows from `start` on into `out`, float16 (m, width); a third of the time of indexing."""
        places = self._positions[start : start + len(out)]
        np.take(self._mapped, places, axis=0, out=out.numpy(), mode="clip")  # others copy twice
        return out

    def __getitem__(self, part: Any, /) -> Tensor:
        """Some of the rows, float16 (m, width): by a slice, a list, or int64 or bool (n,)."""
        chosen = part.numpy() if isinstance(part, Tensor) else part
        return torch.from_numpy(self._mapped[self._positions[chosen]])


def _halved(rows: Tensor) -> npt.NDArray[np.float16]:
    """Embeddings at half precision; what lies outside its range is set to its largest number."""
    within = rows.detach().float().cpu().clamp(-_LARGEST, _LARGEST)
    halved: npt.NDArray[np.float16] = within.numpy().astype(np.float16)
    return halved
