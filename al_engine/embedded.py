"""Where a campaign's embeddings lie on disk, and which images are most similar to one by them.

A file of embeddings is written by `al_engine.training`, which needs torch; here it is only read, so
that programs without torch can. Depends on numpy only.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from al_engine.decisions.architecture import backbone_of

DATA: Final = "embeddings.f16"
"""Embeddings, float16, row after row; a row is an image's `position` in its campaign."""
STATES: Final = "filled.u8"
"""One state byte for each row."""
WIDTH: Final = "width"
"""How many numbers an embedding has, in decimal digits."""
EMPTY, FILLED, BROKEN = 0, 1, 2

NEAR_COPY_COSINES: Final = {"frozen:tf_efficientnet_lite0": 0.96}
"""By frozen architecture: from this cosine similarity on, two images are one picture stored anew.

Measured in docs/benchmarks/similar.md; of other architectures nobody knows it.
"""

COARSE_NUMBERS: Final = 256
"""All images are compared by so many numbers of their embeddings, the best of them by all."""
_SHORTLIST_IMAGES: Final = 1_000
_BLOCK_ROWS: Final = 4_096

Numbers = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


class Unreadable(ValueError):
    """A folder that holds no whole file of embeddings; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Similar:
    """Positions of the most similar images, best first, and their cosine similarities, (k,) each.

    `compared` of `embedded` images were looked at.
    """

    positions: Positions
    cosines: Numbers
    compared: int
    embedded: int


def near_copy_cosine(architecture: str) -> float | None:
    """The least cosine similarity of near-copies by a frozen architecture; None if not measured."""
    return NEAR_COPY_COSINES.get(backbone_of(architecture))


def folder_name(*, campaign_id: int, architecture: str, image_size: int, sha256: str) -> str:
    """The name of the folder for images of `image_size` px seen by a backbone with this digest."""
    return f"{_stem(campaign_id, architecture, image_size)}{sha256[:12]}"


def find_folder(
    cache: Path, *, campaign_id: int, architecture: str, image_size: int
) -> Path | None:
    """The folder of a campaign's embeddings, None if there is none on this machine.

    Where the weights of the backbone were replaced there are several: the newest is taken.
    """
    stem = _stem(campaign_id, architecture, image_size)
    there = [
        path
        for path in cache.glob(f"{stem}*")
        if re.fullmatch("[0-9a-f]{12}", path.name[len(stem) :])
    ]
    dated = [(states.stat().st_mtime, path) for path in there if (states := path / STATES).exists()]
    return max(dated)[1] if dated else None


class EmbeddedRows:
    """A file of embeddings, read-only and mapped; others may fill it meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Raises Unreadable."""
        try:
            width = int((folder / WIDTH).read_text())
            count = (folder / STATES).stat().st_size
            size = (folder / DATA).stat().st_size
        except (OSError, ValueError) as error:
            raise Unreadable(_useless(folder)) from error
        if width < 1 or size < 2 * width * count:
            raise Unreadable(_useless(folder))
        self._states: npt.NDArray[np.uint8] = np.empty(0, np.uint8)
        self._rows: npt.NDArray[np.float16] = np.empty((0, width), np.float16)
        if count:  # an empty file cannot be mapped
            self._states = np.memmap(folder / STATES, np.uint8, "r", shape=(count,))
            self._rows = np.memmap(folder / DATA, np.float16, "r", shape=(count, width))

    def count_filled(self) -> int:
        """How many images are embedded."""
        return int(np.count_nonzero(self._states == FILLED))

    def is_filled(self, position: int) -> bool:
        """Whether this image is embedded."""
        return 0 <= position < len(self._states) and bool(self._states[position] == FILLED)

    def most_similar(self, position: int, count: int, *, seconds: float) -> Similar:
        """The `count` embedded images most similar to the embedded image at `position`.

        Similarity is the cosine of the embeddings. All images are compared by their first
        `COARSE_NUMBERS` numbers, and the best 1,000 by all. Blocks of images are read in a random
        order until `seconds` are over, so that a slow disk or a large campaign costs no more, but
        at least a block that has an embedded image.
        """
        wanted = np.asarray(self._rows[position], np.float32)
        found = np.full(len(self._states), -np.inf, np.float32)
        compared = self._compare_coarsely(wanted[:COARSE_NUMBERS], found, seconds)
        found[position] = -np.inf
        size = min(_SHORTLIST_IMAGES, len(found))
        short = np.sort(np.argpartition(-found, size - 1)[:size])
        short = short[np.isfinite(found[short])]
        cosines = _cosines(self._rows[short].astype(np.float32), wanted)
        best = np.argsort(-cosines, kind="stable")[:count]
        return Similar(short[best], cosines[best], compared, self.count_filled())

    def _compare_coarsely(self, wanted: Numbers, found: Numbers, seconds: float) -> int:
        """Write cosines of filled rows into `found`, (n,), until time is up; return how many."""
        began, compared = time.monotonic(), 0
        starts = np.arange(0, len(found), _BLOCK_ROWS)
        np.random.default_rng().shuffle(starts)
        for start in starts.tolist():
            block = slice(start, start + _BLOCK_ROWS)
            filled = self._states[block] == FILLED
            cosines = _cosines(self._rows[block, : len(wanted)].astype(np.float32), wanted)
            found[block][filled] = cosines[filled]
            compared += int(np.count_nonzero(filled))
            if compared > 1 and time.monotonic() - began > seconds:
                break
        return compared


def _cosines(rows: Numbers, wanted: Numbers) -> Numbers:
    """Cosine similarities, (n,), of rows, (n, w), with one, (w,); 0 for a row of zeros."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows)) * np.linalg.norm(wanted)
    cosines: Numbers = (rows @ wanted) / np.maximum(lengths, np.finfo(np.float32).tiny)
    return cosines


def _stem(campaign_id: int, architecture: str, image_size: int) -> str:
    # Names of published models have colons and slashes.
    name = re.sub(r"[^\w.-]", "_", backbone_of(architecture))
    return f"{campaign_id}-{name}-{image_size}-"


def _useless(folder: Path) -> str:
    return (
        f"{folder} holds no whole file of embeddings. Delete that folder: it is made anew, and "
        "that loses nothing but time."
    )
