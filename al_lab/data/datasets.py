"""The images of an experiment: a data set, and a seed's sample of it.

`Data.name` is one of

    fashion_mnist.npz, cifar10_jpeg92.tar.xz, photos.zip, photos    a file or folder under --data
    torchvision:CIFAR10      torchvision's, from --data or downloaded into the cache
    sklearn:digits           scikit-learn's digits of 8 px
    signs.safetensors        a feature file: embeddings in place of images (`features.py`)

A suffix can say which images make the pool: `#train`, the default; `#test`, the test part, with
accuracy measured on training images; `#cifar10s.csv`, the images of this file of recorded labels,
with accuracy measured on the other part. `formats.py` has the formats.

Pictures become squares as in the product (`al_engine/training/decoding.py`): uint8 with three
channels, averaged when they get smaller.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from al_lab.config.settings import Data
from al_lab.data import features, libraries, recorded_labels
from al_lab.data.files import NoData
from al_lab.data.formats import open_source
from al_lab.data.recorded_labels import PartName
from al_lab.data.unpacked import Unpacked, load_unpacked, stamp_of

__all__ = ["DataSet", "Images", "NoData", "Pool", "draw", "load"]

_OTHER: Final[dict[PartName, PartName]] = {"train": "test", "test": "train"}
# They give samples of data sets other seeds than everything else in a run.
_SEED_STRIDE: Final = 1_000_003
_SEED_OFFSET: Final = 77_347


@dataclass(frozen=True, slots=True)
class Images:
    """`pixels`: uint8 (n, 3, S, S). `truth`: their classes, int64 (n,).

    `original`: int64 (n,), their index in their part as it was published, else their row.
    `features`: float16 (n, d), of a feature file; then there are no pixels, and S is 0.
    """

    pixels: Tensor
    truth: Tensor
    original: Tensor
    features: Tensor | None = None

    def __len__(self) -> int:
        return self.truth.shape[0]

    def rows(self, rows: Tensor) -> "Images":
        """Some of them, copied; `rows` int64 (m,)."""
        features = None if self.features is None else self.features[rows]
        return Images(self.pixels[rows], self.truth[rows], self.original[rows], features)


@dataclass(frozen=True, slots=True)
class DataSet:
    """`train` is what a pool is drawn from, `test` what accuracy is measured on.

    `part`: the part in which the images of `train` were published. `notes`: sentences about images
    that are left out, for whoever starts the experiment.
    """

    train: Images
    test: Images
    classes: tuple[str, ...]
    name: str = "the data"
    part: PartName = "train"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """D at the start: `shows` int64 (N,), the row of `images` that each row of the pool shows.

    Copies are exact, so predictions for them are equal, and each image is stored once.
    `validation`: images of the training part that are not in the pool.
    """

    shows: Tensor
    images: Images
    validation: Images

    def __len__(self) -> int:
        return self.shows.shape[0]


def load(data: Data, folder: Path | None, cache: Path) -> DataSet:
    """All images of a data set, `data.image_size` px; `folder` is what --data names.

    It is unpacked into `cache` once and mapped from there afterwards; any number of processes may
    do so at the same time. Raises NoData.
    """
    name, _, wanted = data.name.partition("#")
    parts, classes, notes = (
        _of_features(name, folder) if not data.image_size else _of_pixels(name, data, folder, cache)
    )
    if wanted.endswith(".csv"):
        labels = recorded_labels.read(wanted, folder, classes)
        rows = torch.isin(parts[labels.part].original, labels.original).nonzero()[:, 0]
        if not len(rows):
            raise NoData(f"{wanted} has labels of none of the {labels.part} images of {name}.")
        parts[labels.part] = parts[labels.part].rows(rows)
        part: PartName = labels.part
    elif wanted in ("", "train", "test"):
        part = "test" if wanted == "test" else "train"
    else:
        raise NoData(
            f'data.name is "{data.name}"; after # comes train, test, or a CSV of recorded labels.'
        )
    return DataSet(
        train=parts[part],
        test=parts[_OTHER[part]],
        classes=classes,
        name=data.name,
        part=part,
        notes=notes,
    )


def draw(data_set: DataSet, data: Data, *, seed: int) -> tuple[Pool, Images]:
    """A seed's sample: the pool, its copies, the validation images; and the test images.

    A smaller sample is a part of a larger one with the same seed, and the test images do not depend
    on the pool. Raises NoData where there are too few images.
    """
    if min(data.train, data.test, data.validation) < 0 or data.copies < 1:
        raise NoData("data.train, test and validation are 0 or more, data.copies 1 or more.")
    generator = torch.Generator().manual_seed(seed * _SEED_STRIDE + _SEED_OFFSET)
    order = torch.randperm(len(data_set.train), generator=generator)
    size = data.train or len(order) - data.validation
    if size < 1 or size + data.validation > len(order):
        asked = f"{data.train:,} images" if data.train else "all images"
        raise NoData(
            f"data asks for {asked} to be labeled and {data.validation:,} for validation; "
            f"{data_set.name} has {len(order):,}."
        )
    tested = torch.randperm(len(data_set.test), generator=generator)
    if data.test > len(tested):
        raise NoData(
            f"data.test asks for {data.test:,} images; {data_set.name} has {len(tested):,} of them."
        )
    pool = Pool(
        shows=torch.arange(size).repeat_interleave(data.copies),
        images=data_set.train.rows(order[:size]),
        # From the other end: the pool is the same with and without them.
        validation=data_set.train.rows(order[len(order) - data.validation :]),
    )
    test = data_set.test.rows(tested[: data.test]) if data.test else data_set.test
    return pool, test


_Loaded = tuple[dict[PartName, Images], tuple[str, ...], tuple[str, ...]]
"""The images by part, the names of the classes, and notes."""


def _of_pixels(name: str, data: Data, folder: Path | None, cache: Path) -> _Loaded:
    found = _unpacked(name, data.image_size, folder, cache)
    parts = {
        part: Images(**{kind: torch.from_numpy(array) for kind, array in found.parts[part].items()})
        for part in _OTHER
    }
    return parts, found.classes, found.notes


def _of_features(name: str, folder: Path | None) -> _Loaded:
    """A feature file, which has no pixels."""
    library = libraries.find_source(name, folder, Path())
    path = None if library else _path(name, folder)
    if path is None or not features.holds_features(path):
        raise NoData(
            f'data.name is "{name}", and data.image_size is 0, which is for feature files: give '
            "the side of its images in pixels, or embed them with `python -m al_lab embed`."
        )
    found = features.read(path)
    parts = {}
    for part in _OTHER:
        known = found.parts[part]
        pixels = torch.empty(len(known["truth"]), 3, 0, 0, dtype=torch.uint8)
        parts[part] = Images(pixels, known["truth"], known["original"], known["features"])
    return parts, found.classes, ()


def _unpacked(name: str, image_size: int, folder: Path | None, cache: Path) -> Unpacked:
    library = libraries.find_source(name, folder, cache / "torchvision")
    if library is not None:
        return load_unpacked(
            cache,
            name=name,
            stamp="",
            image_size=image_size,
            source=lambda _: nullcontext(library()),
        )
    path = _path(name, folder)
    if features.holds_features(path):
        raise NoData(
            f'data.name is "{name}": it holds features, not images; leave data.image_size out.'
        )
    return load_unpacked(
        cache,
        name=name,
        stamp=stamp_of(path),
        image_size=image_size,
        source=partial(open_source, path),
    )


def _path(name: str, folder: Path | None) -> Path:
    if folder is None:
        raise NoData(f'data.name is "{name}": say with --data in which folder that is.')
    path = folder / name
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise NoData(f'data.name is "{name}"; it names a file or folder under that of --data.')
    if not path.exists():
        there = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
        near = get_close_matches(name, there, n=1)
        hint = (
            f"did you mean {near[0]}?" if near else f"there are {', '.join(there) or 'no files'}."
        )
        raise NoData(f"there is no {name} in {folder}; {hint}")
    return path
