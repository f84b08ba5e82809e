"""CIFAR-10 as one file of some 40 MB: its images side by side on large JPEG sheets.

Each image fills whole blocks of 8 px of its sheet, so it is compressed by itself, without the
hundreds of bytes of head that a file of its own has, and twelve sheets are decoded in seconds.
"""

import io
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from al_lab.config.settings import Data
from al_lab.data import datasets
from al_lab.data.datasets import DataSet, Images

FILE: Final = "cifar10_sheets.npz"
SIDE: Final = 32
_COLUMNS: Final = 100
_IMAGES_A_SHEET: Final = 5_000
_QUALITY: Final = 92
MOST_BYTES: Final = 60 * 2**20
TOY_IMAGES: Final = 600


def pack(source: Path, folder: Path, cache: Path) -> str:
    """Write the sheets of a data set of 32 px; returns their size and loss in a sentence.

    `source`: a file that `al_lab.data.datasets` reads. Raises NoData, and ValueError for more than
    60 MiB.
    """
    data_set = datasets.load(Data(source.name, SIDE), source.parent, cache)
    arrays = {"classes": np.array(data_set.classes)}
    for part, images in (("train", data_set.train), ("test", data_set.test)):
        arrays[f"{part}_truth"] = images.truth.numpy()
        for number, some in enumerate(torch.split(images.pixels, _IMAGES_A_SHEET)):
            arrays[f"{part}_{number}"] = np.frombuffer(_sheet(some), np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / FILE, **arrays)  # type: ignore[arg-type]
    size = (folder / FILE).stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{folder / FILE} has {size:,} bytes; {MOST_BYTES:,} are the most.")
    again = read(folder)
    apart = (again.test.pixels.float() - data_set.test.pixels.float()).square().mean().sqrt()
    return (
        f"{folder / FILE}: {len(again.train):,} + {len(again.test):,} images, {size / 2**20:.1f} "
        f"MiB; test images differ by {float(apart):.2f} of 255 (root mean square)"
    )


def read(folder: Path) -> DataSet:
    """The data set of the sheets in a folder."""
    with np.load(folder / FILE, allow_pickle=False) as file:
        parts = {}
        for part in ("train", "test"):
            truth = torch.from_numpy(file[f"{part}_truth"])
            count = -(-len(truth) // _IMAGES_A_SHEET)
            sheets = [_cut(file[f"{part}_{number}"].tobytes()) for number in range(count)]
            pixels = torch.cat(sheets)[: len(truth)]
            parts[part] = Images(pixels, truth, torch.arange(len(truth)))
        classes = tuple(str(name) for name in file["classes"])
    return DataSet(train=parts["train"], test=parts["test"], classes=classes, name="CIFAR-10")


def drawn() -> DataSet:
    """In place of CIFAR-10 at toy size: noise whose shade tells the class."""
    generator = torch.Generator().manual_seed(0)

    def part(count: int) -> Images:
        truth = torch.randint(0, 10, (count,), generator=generator)
        noise = torch.randint(0, 128, (count, 3, SIDE, SIDE), generator=generator)
        pixels = (noise + 12 * truth[:, None, None, None]).to(torch.uint8)
        return Images(pixels, truth, torch.arange(count))

    classes = tuple(str(number) for number in range(10))
    return DataSet(train=part(TOY_IMAGES), test=part(TOY_IMAGES), classes=classes, name="drawn")


def _sheet(images: Tensor) -> bytes:
    """Images, uint8 (n, 3, 32, 32), as a JPEG; what is left of the last row is black."""
    rows = -(-len(images) // _COLUMNS)
    places = torch.zeros(rows * _COLUMNS, 3, SIDE, SIDE, dtype=torch.uint8)
    places[: len(images)] = images
    grid = places.view(rows, _COLUMNS, 3, SIDE, SIDE).permute(0, 3, 1, 4, 2)
    picture = Image.fromarray(grid.reshape(rows * SIDE, _COLUMNS * SIDE, 3).numpy())
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return file.getvalue()


def _cut(sheet: bytes) -> Tensor:
    """The images of a sheet, uint8 (n, 3, 32, 32)."""
    with Image.open(io.BytesIO(sheet)) as picture:
        grid = torch.from_numpy(np.array(picture))
    rows = grid.shape[0] // SIDE
    places = grid.view(rows, SIDE, _COLUMNS, SIDE, 3).permute(0, 2, 4, 1, 3)
    return places.reshape(-1, 3, SIDE, SIDE).contiguous()
