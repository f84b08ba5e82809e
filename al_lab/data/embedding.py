"""Embeds the images of a data set by a frozen backbone, image by image, into a feature file.

Rows go to files in a folder beside the target as they are made, the embedding first and then who it
is of; so a process that is stopped or killed leaves whole rows, and the next one goes on from them.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from al_engine import architectures
from al_engine.architectures import Classifier
from al_engine.training.decoding import UndecodableImage, decode, pixels_of
from al_engine.training.evaluate import predict_with_features
from al_lab.data import features, libraries
from al_lab.data.files import NoData
from al_lab.data.formats import Item, Part, Source, open_source
from al_lab.data.unpacked import stamp_of

IMAGE_SIDE: Final = 224
"""Images are decoded at this side (px), or at the larger one that the backbone asks for."""
BATCH_IMAGES: Final = 32
"""So many images are done again at most after a kill."""
_ABOUT: Final = "about.json"
# Where an image was in its part, its class, and its published index.
_Label = tuple[int, int, int]
_LABEL_NUMBERS: Final = 3

Told = Callable[[int, int], None]
"""Gets the number of images that are done, and of all."""


def backbone_of(name: str, weights: Path | None = None) -> Classifier:
    """The frozen backbone of this name with its published weights, or those of a file.

    Raises NoData for a network that is not frozen, and what `architectures.build` raises.
    """
    architectures.check_name(name)
    if not architectures.wants_pretrained(name):
        raise NoData(f"{name} learns; embeddings are by a frozen backbone: frozen:NAME, probe:NAME")
    return architectures.build(
        name, classes=1, image_size=IMAGE_SIDE, weights_path=weights, pretrained=True
    ).eval()


def source_of(name: str) -> tuple[str, Callable[[Path], AbstractContextManager[Source]]]:
    """A stamp that changes with the contents, and what opens a file, folder or library's data set.

    Raises NoData.
    """
    library = libraries.find_source(name, None, Path("var/experiments/torchvision"))
    if library is not None:
        return name, lambda _: nullcontext(library())
    path = Path(name)
    if not path.exists():
        raise NoData(f"there is no {path}.")
    return stamp_of(path), partial(open_source, path)


def embed(
    name: str,
    out: Path,
    *,
    model: Classifier,
    backbone: str,
    device: torch.device,
    told: Told,
) -> tuple[str, ...]:
    """Embed all images of a data set into a feature file; returns notes on images left out.

    `backbone` is the model's name for the file. Goes on from where an earlier call was stopped.
    Raises NoData.
    """
    stamp, opened = source_of(name)
    about = {
        "source": name,
        "stamp": stamp,
        "backbone": backbone,
        "sha256": architectures.backbone_sha256(model),
        "side": str(model.smallest_side),
    }
    half = out.with_name(f".{out.name}.rows")
    _begin(half, about)
    with opened(half) as found:
        parts, notes = {"train": found.train, "test": found.test}, list(found.notes)
        total = sum(part.count for part in parts.values())
        done = 0
        for part_name, part in parts.items():
            rows = _Rows(half, part_name, model.width)
            for made in _embed_part(part, rows, model, device):
                told(done + made, total)
            done += part.count
            if left_out := part.count - len(rows.labels()):
                notes.append(f"{name}: {left_out:,} {part_name} images cannot be read.")
        classes = found.classes
    tensors = {part: _Rows(half, part, model.width).tensors() for part in parts}
    most = max(int(each["truth"].max()) for each in tensors.values())
    features.write(out, tensors, classes=classes or tuple(map(str, range(most + 1))), about=about)
    shutil.rmtree(half)
    return tuple(notes)


def _begin(half: Path, about: Mapping[str, str]) -> None:
    """Make the folder for rows, or check that its rows are of the same images and backbone."""
    half.mkdir(parents=True, exist_ok=True)
    note = half / _ABOUT
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) != about:
        raise NoData(
            f"{half} holds the rows of another data set or backbone: delete it, or choose "
            "another --out."
        )
    note.write_text(json.dumps(about), encoding="utf-8")


class _Rows:
    """The rows of a part that are made: two files to which whole batches are appended."""

    def __init__(self, folder: Path, part: str, width: int) -> None:
        self._features = folder / f"{part}_features"
        self._labels = folder / f"{part}_labels"
        self._width = width

    def labels(self) -> npt.NDArray[np.int64]:
        """Of the rows that are whole: place, class and published index, int64 (n, 3)."""
        if not self._labels.exists():
            return np.empty((0, _LABEL_NUMBERS), dtype=np.int64)
        found = np.fromfile(self._labels, dtype=np.int64)
        return found[: len(found) // _LABEL_NUMBERS * _LABEL_NUMBERS].reshape(-1, _LABEL_NUMBERS)

    def cut(self) -> int:
        """Cut off what is not whole; returns how many images of the part are done."""
        labels = self.labels()
        for path, row_bytes in (
            (self._features, 2 * self._width),
            (self._labels, labels.strides[0]),
        ):
            with path.open("ab") as file:
                file.truncate(len(labels) * row_bytes)
        return int(labels[-1, 0]) + 1 if len(labels) else 0

    def append(self, made: Tensor, labels: list[_Label]) -> None:
        """Append rows, float (n, d), and whose they are."""
        with self._features.open("ab") as file:
            file.write(made.half().numpy().tobytes())
        with self._labels.open("ab") as file:
            file.write(np.array(labels, dtype=np.int64).tobytes())

    def tensors(self) -> dict[str, Tensor]:
        """As a feature file has them. Raises NoData where there is no row."""
        labels = torch.from_numpy(self.labels())
        if not len(labels):
            raise NoData("a part of the data set has no image that can be read.")
        rows = np.fromfile(self._features, dtype=np.float16).reshape(-1, self._width)
        truth, original = labels[:, 1].contiguous(), labels[:, 2].contiguous()
        return {"features": torch.from_numpy(rows), "truth": truth, "original": original}


def _embed_part(part: Part, rows: _Rows, model: Classifier, device: torch.device) -> Iterator[int]:
    """Embed what is missing of a part; yields how many of its images are done."""
    begin = rows.cut()
    items = islice(enumerate(part.items), begin, None)
    while some := list(islice(items, BATCH_IMAGES)):
        pixels, labels = _read(some, model.smallest_side)
        if labels:
            rows.append(predict_with_features(model, pixels, device=device)[1], labels)
        yield some[-1][0] + 1


def _read(some: Iterable[tuple[int, Item]], side: int) -> tuple[Tensor, list[_Label]]:
    """The images that can be read, uint8 (n, 3, S, S), and whose they are."""
    pixels, labels = list[npt.NDArray[np.uint8]](), list[_Label]()
    for place, item in some:
        try:
            picture = item.picture()
            of = decode if isinstance(picture, bytes) else pixels_of
            pixels.append(of(picture, image_size=side))  # type: ignore[arg-type]
            labels.append((place, item.truth, item.original))
        except UndecodableImage:
            continue
    stacked = np.stack(pixels) if pixels else np.empty((0, 3, side, side), dtype=np.uint8)
    return torch.from_numpy(stacked), labels
