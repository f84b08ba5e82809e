"""The data: a sample of Fashion-MNIST for each seed, clean or with every image copied.

Images are halved to 14 px: a training then takes a quarter of the time, and with a few hundred
labels this network is no less accurate.

Copies are exact, so a network predicts the same for all copies: each image is stored and scored
once, and `Pool.shows` maps the rows of the pool to images.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from al_lab.data.formats import read_arrays

SIDE = 14
CLASSES = 10
_PUBLISHED_SIDE = 28


@dataclass(frozen=True, slots=True)
class Split:
    """Images, uint8 (n, 3, 14, 14), and their classes, int64 (n,)."""

    images: Tensor
    truth: Tensor


@dataclass(frozen=True, slots=True)
class Pool:
    """D at the start. `of`: the different images. `shows`: int64 (N,), the image of each row."""

    of: Split
    shows: Tensor

    def __len__(self) -> int:
        return self.shows.shape[0]


def load(folder: Path) -> tuple[Split, Split]:
    """The training and the test images of `fashion_mnist.npz` in this folder; raises NoData."""
    arrays = read_arrays(folder / "fashion_mnist.npz")
    return _split(*arrays.train), _split(*arrays.test)


def _split(images: npt.NDArray[np.uint8], truth: npt.NDArray[np.int64]) -> Split:
    gray = torch.from_numpy(images).reshape(-1, 1, _PUBLISHED_SIDE, _PUBLISHED_SIDE)
    halved = functional.avg_pool2d(gray.float(), 2).round().to(torch.uint8)  # (n, 1, 14, 14)
    # Networks here take three channels; expand makes a view without a copy.
    return Split(halved.expand(-1, 3, -1, -1), torch.from_numpy(truth))


def sampled(train: Split, *, images: int, copies: int, generator: torch.Generator) -> Pool:
    """A pool of `images` different images drawn at random, each `copies` times."""
    chosen = torch.randperm(train.images.shape[0], generator=generator)[:images]
    return Pool(
        of=Split(train.images[chosen].contiguous(), train.truth[chosen]),
        shows=torch.arange(images).repeat_interleave(copies),
    )
