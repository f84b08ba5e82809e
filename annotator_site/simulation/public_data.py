"""Fashion-MNIST and CIFAR-10 for larger demos: from a file, or downloaded once from their authors.

A download is checked for damage by the published MD5. It is written under a temporary name and
then renamed, so that a file in the cache is always whole.
"""

import csv
import gzip
import hashlib
import lzma
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from annotator_site.simulation.demo_data import DataMissing, DatasetName, Picture, Split, png

Pixels = npt.NDArray[np.uint8]

FASHION_MNIST: Final = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
# By split: file name and MD5 of the images, then of the labels.
FASHION_MNIST_FILES: Final[dict[Split, tuple[tuple[str, str], tuple[str, str]]]] = {
    "pool": (
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
    ),
    "holdout": (
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
}
CIFAR10: Final = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_MD5: Final = "c32a1d4ab5d03f1284b67883e8d87530"
_CIFAR10_RECORD: Final = 1 + 3 * 32 * 32
_SPLITS: Final[dict[str, Split]] = {"train": "pool", "test": "holdout"}
_FORMS: Final[dict[str, str]] = {
    "fashion_mnist": "an .npz with the arrays x_train, y_train, x_test and y_test",
    "cifar10": "a tar whose folder begins with an index.csv (columns split, label and path)",
}
# What the readers raise for a file of another kind, or one that is cut short.
_DAMAGES: Final = (
    *(EOFError, IndexError, KeyError, ValueError, zlib.error),
    *(lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile),
)
_TIMEOUT_S: Final = 30.0
_CHUNK: Final = 1 << 20


def read_public(
    name: DatasetName, *, classes: tuple[str, ...], data: Path | None, cache: Path
) -> Iterator[Picture]:
    """All pictures of `fashion_mnist` or `cifar10`: training images as pool, test as holdout.

    `data`: for Fashion-MNIST an .npz with x_train, y_train, x_test, y_test; for CIFAR-10 a tar
    with an index.csv before the images (columns split, label, path). None: downloaded to `cache`.
    Raises DataMissing.
    """
    try:
        if data is None:
            cache.mkdir(parents=True, exist_ok=True)
            download = _download_fashion_mnist if name == "fashion_mnist" else _download_cifar10
            yield from download(classes, cache)
        elif name == "fashion_mnist":
            yield from _read_npz(classes, data)
        else:
            yield from _read_tar(classes, data)
    except OSError as error:
        raise DataMissing(f"{data or cache} cannot be used: {error.strerror or error}.") from error
    except _DAMAGES as error:
        raise DataMissing(
            f"{data} is not what is wanted for {name}: {_FORMS[name]}."
            if data
            else f"What was downloaded to {cache} is damaged: delete it and start again."
        ) from error


def limited(pictures: Iterator[Picture], *, pool: int | None, holdout: int) -> Iterator[Picture]:
    """The first `pool` pictures of the pool (None: all) and the first `holdout` of the holdout."""
    left: dict[Split, float] = {"pool": float("inf") if pool is None else pool, "holdout": holdout}
    for picture in pictures:
        if left[picture.split] > 0:
            left[picture.split] -= 1
            yield picture
        elif not any(left.values()):
            return


def _read_npz(classes: tuple[str, ...], path: Path) -> Iterator[Picture]:
    with np.load(path, allow_pickle=False) as arrays:
        for part, split in _SPLITS.items():
            yield from _pictures(split, classes, arrays[f"x_{part}"], arrays[f"y_{part}"])


def _read_tar(classes: tuple[str, ...], path: Path) -> Iterator[Picture]:
    known: dict[str, tuple[Split, str]] = {}
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None:
                continue
            folder, _, inside = member.name.partition("/")
            if inside == "index.csv":
                rows = csv.DictReader(file.read().decode().splitlines())
                known = {
                    f"{folder}/{row['path']}": (_SPLITS[row["split"]], classes[int(row["label"])])
                    for row in rows
                }
            elif member.name in known:
                split, class_name = known[member.name]
                yield Picture(split, class_name, Path(inside).stem, file.read())
    if not known:
        raise ValueError("there is no index.csv before the pictures")


def _download_fashion_mnist(classes: tuple[str, ...], cache: Path) -> Iterator[Picture]:
    for split, (images, labels) in FASHION_MNIST_FILES.items():
        paths = [_fetch(FASHION_MNIST + name, cache / name, md5) for name, md5 in (images, labels)]
        # An IDX file: 16 bytes of header before pixels, 8 before labels.
        pixels = np.frombuffer(gzip.decompress(paths[0].read_bytes()), np.uint8, offset=16)
        known = np.frombuffer(gzip.decompress(paths[1].read_bytes()), np.uint8, offset=8)
        yield from _pictures(split, classes, pixels.reshape(-1, 28, 28), known)


def _download_cifar10(classes: tuple[str, ...], cache: Path) -> Iterator[Picture]:
    path = _fetch(CIFAR10, cache / "cifar-10-binary.tar.gz", CIFAR10_MD5)
    start: dict[Split, int] = {"pool": 0, "holdout": 0}
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None or not member.name.endswith(".bin"):
                continue
            split = _SPLITS["test" if member.name.endswith("test_batch.bin") else "train"]
            records = np.frombuffer(file.read(), np.uint8).reshape(-1, _CIFAR10_RECORD)
            images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            yield from _pictures(split, classes, images, records[:, 0], start=start[split])
            start[split] += len(records)


def _pictures(
    split: Split, classes: tuple[str, ...], images: Pixels, labels: Pixels, *, start: int = 0
) -> Iterator[Picture]:
    """Pictures of uint8 (n, h, w) or (n, h, w, 3) and labels (n,), numbered from `start`."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True), start):
        yield Picture(
            split, classes[label], f"{split}-{number:05}", png(np.ascontiguousarray(image))
        )


def _fetch(url: str, path: Path, md5: str) -> Path:
    """The file at `url`, downloaded to `path` unless it is there. Raises DataMissing."""
    if path.exists():
        return path
    unfinished = path.with_name(f"{path.name}.unfinished")
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with (
            urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer,  # noqa: S310 - constants
            unfinished.open("wb") as file,
        ):
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
    except OSError as error:
        raise DataMissing(
            f"{url} cannot be downloaded ({error}): connect to a network, or give the file "
            "by --data."
        ) from error
    if digest.hexdigest() != md5:
        unfinished.unlink()
        raise DataMissing(f"{url} is not what its authors published: try again later.")
    return unfinished.rename(path)
