"""Formats of data sets: npz, an index.csv, class folders.

Each format becomes a `Source`: the number of images in its two parts, and the images one by one,
each read when it is needed.
"""

import csv
import hashlib
import io
import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from al_engine.training.decoding import UndecodableImage
from al_lab.data.files import DAMAGE_ERRORS, Files, NoData, open_files

# Names of folders, and values of the column split of an index.csv. Where both "test" and "val" have
# images, "test" is the test part and "val" is ignored.
PART_NAMES: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
}
INDEX: Final = "index.csv"
_INDEX_COLUMNS: Final = ("split", "label", "class", "path")
_IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
_LARGEST_NUMBER: Final = 10**9  # of any number in an index
# Where a data set has no test part, it gets one image in so many.
_TEST_ONE_IN: Final = 5


@dataclass(frozen=True, slots=True)
class Item:
    """An image that can be read: `picture` returns the file's bytes, or the decoded image.

    `picture` may raise UndecodableImage. `original`: its index in the published order, else its
    row.
    """

    place: str
    truth: int
    original: int
    picture: Callable[[], bytes | Image.Image]


@dataclass(frozen=True, slots=True)
class Part:
    """The images of a part; `count` or fewer, where some cannot be read."""

    count: int
    items: Iterable[Item]


@dataclass(frozen=True, slots=True)
class Source:
    """A data set to be read. Without `classes`, numbers are their names."""

    classes: tuple[str, ...]
    train: Part
    test: Part
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Listed:
    """Collects the images of the two parts."""

    items: dict[str, list[Item]] = field(default_factory=lambda: {"train": [], "test": []})
    notes: list[str] = field(default_factory=list)

    def source(self, classes: tuple[str, ...]) -> Source:
        train, test = (Part(len(self.items[part]), self.items[part]) for part in ("train", "test"))
        return Source(classes, train, test, tuple(self.notes))


@contextmanager
def open_source(path: Path, scratch: Path) -> Iterator[Source]:
    """A file or folder as a data set; `scratch` is for temporary files. Raises NoData.

    An npz (see `read_arrays`), files with an index.csv, or class folders. Class folders lie in
    folders train and test (or val), or all together: then a fifth is the test part.
    """
    if path.suffix == ".npz":
        yield _of_arrays(path)
        return
    with open_files(path, scratch) as files:
        indexes = [name for name in files.names if posixpath.basename(name) == INDEX]
        if indexes:
            shallowest = min(indexes, key=lambda name: name.count("/"))
            yield _of_index(path, files, shallowest)
        else:
            yield _of_class_folders(path, files)


@dataclass(frozen=True, slots=True)
class Arrays:
    """An npz: `train` and `test` are images, uint8 (n, H, W) or (n, H, W, 3), and classes (n,)."""

    train: tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]
    test: tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]
    classes: tuple[str, ...]


def read_arrays(path: Path) -> Arrays:
    """The arrays of an npz file; raises NoData, also for pickled objects, which could run code."""
    try:
        # Opened here, because np.load does not close a file that it cannot read.
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            train, test = (
                _checked(file[f"x_{part}"], file[f"y_{part}"], part) for part in ("train", "test")
            )
            names = file["classes"].ravel().tolist() if "classes" in file.files else []
    except (KeyError, TypeError, *DAMAGE_ERRORS) as error:
        raise NoData(
            f"{path} cannot be read ({error}). An npz holds the arrays x_train, y_train, x_test "
            "and y_test: uint8 images (n, height, width) or (n, height, width, 3) and the numbers "
            "of their classes (n,); and, if they have names, classes."
        ) from error
    return Arrays(train, test, tuple(n.decode() if isinstance(n, bytes) else str(n) for n in names))


def _checked(
    images: npt.NDArray[Any], truth: npt.NDArray[Any], part: str
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.dtype != np.uint8 or not (images.ndim == 3 or images.shape[3:] == (3,)):
        raise ValueError(f"x_{part} is {images.dtype} {images.shape}")
    if truth.dtype.kind not in "iu" or truth.size != len(images):
        raise ValueError(f"y_{part} is {truth.dtype} {truth.shape} for {len(images):,} images")
    return images, truth.ravel().astype(np.int64)


def _of_arrays(path: Path) -> Source:
    arrays = read_arrays(path)
    train, test = part_in_memory(*arrays.train, "x_train"), part_in_memory(*arrays.test, "x_test")
    return Source(arrays.classes, train, test)


def part_in_memory(
    images: npt.NDArray[np.uint8],
    truth: npt.NDArray[np.int64],
    name: str,
    rows: Iterable[int] | None = None,
) -> Part:
    """Images (n, H, W) or (n, H, W, 3) and their classes (n,), or some rows of them.

    `name` is for messages.
    """
    chosen = list(range(len(images)) if rows is None else rows)
    items = (
        Item(f"{name}[{row}]", int(truth[row]), int(row), partial(Image.fromarray, images[row]))
        for row in chosen
    )
    return Part(len(chosen), items)


def is_held_out(name: str) -> bool:
    """Whether an image is put into the test part of a data set that has none.

    Its name alone decides, so it stays in its part when other images are added or removed.
    """
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % _TEST_ONE_IN == 0


def _of_index(path: Path, files: Files, index: str) -> Source:
    """A data set with an index:

    columns split, label, class, path (relative to it); maybe original_index.
    """
    base, where = posixpath.dirname(index), f"{path}, {index}"
    try:
        text = files.read(index).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except (ValueError, csv.Error) as error:
        raise NoData(f"{where} cannot be read as a CSV file in UTF-8: {error}.") from error
    if lacking := [name for name in _INDEX_COLUMNS if name not in (reader.fieldnames or ())]:
        raise NoData(f"{where} has no column {' and none '.join(lacking)}.")
    splits = {PART_NAMES.get(row["split"] or "") for _, row in rows}
    parts = {"train": "train", "test" if "test" in splits else "val": "test"}
    listed, names = _Listed(), dict[int, str]()
    for line, row in rows:
        try:
            split, item = _row(row, files, base)
            if names.setdefault(item.truth, row["class"]) != row["class"]:
                raise ValueError(
                    f"label {item.truth} is {row['class']!r} here and {names[item.truth]!r} above"
                )
        except ValueError as error:
            raise NoData(f"{where}, line {line} cannot be used: {error}.") from error
        if split in parts:
            mine = listed.items[parts[split]]
            mine.append(item if item.original >= 0 else replace(item, original=len(mine)))
    if sorted(names) != list(range(len(names))):
        raise NoData(f"{where}: labels are to be 0, 1, 2 … without a gap; {sorted(names)} occur.")
    for part, items in listed.items.items():
        if len({item.original for item in items}) < len(items):
            raise NoData(f"{where}: an original_index occurs twice in the {part} part.")
    return listed.source(tuple(names[label] for label in sorted(names)))


def _row(row: dict[str, str], files: Files, base: str) -> tuple[str, Item]:
    """The split and the image of a row; `original` is -1 without an original_index."""
    if any(row[name] is None for name in _INDEX_COLUMNS):
        raise ValueError("a value is missing")
    if (split := PART_NAMES.get(row["split"])) is None:
        raise ValueError(f"split is {row['split']!r}; there are train, test and val")
    label = int(row["label"])
    original = int(row.get("original_index", -1))
    if not 0 <= label < _LARGEST_NUMBER or not -1 <= original < _LARGEST_NUMBER:
        raise ValueError(f"label is {label}, and original_index {original}")
    place = posixpath.normpath(posixpath.join(base, row["path"]))
    return split, Item(place, label, original, partial(_file, files, place))


def _file(files: Files, name: str) -> bytes:
    if name not in files.names:
        raise UndecodableImage("there is no such file")
    return files.read(name)


def _of_class_folders(path: Path, files: Files) -> Source:
    pictures = sorted(name for name in files.names if name.lower().endswith(_IMAGE_SUFFIXES))
    # A folder that contains all images is neither a part nor a class.
    around = posixpath.commonpath([posixpath.dirname(name) for name in pictures] or [""])
    within = {name: name[len(around) :].lstrip("/").split("/") for name in pictures}
    found = {PART_NAMES.get(parts[0].lower()) for parts in within.values()}
    in_parts = "train" in found and bool(found & {"test", "val"})
    placed, outside = list[tuple[str, str, str]](), 0
    for name, parts in within.items():
        part = PART_NAMES.get(parts[0].lower()) if in_parts else ""
        folders = parts[1:-1] if in_parts else parts[:-1]
        if part is None or not folders:
            outside += 1
        elif part != "val" or "test" not in found:
            held_out = part != "train" if in_parts else is_held_out("/".join(parts))
            placed.append((name, folders[0], "test" if held_out else "train"))
    classes = sorted({name for _, name, _ in placed})
    if untaught := set(classes) - {name for _, name, part in placed if part == "train"}:
        raise NoData(f"{path}: no training image is of the class {', '.join(sorted(untaught))}.")
    listed = _Listed()
    for name, class_name, part in placed:
        mine, read = listed.items[part], partial(_file, files, name)
        mine.append(Item(name, classes.index(class_name), len(mine), read))
    if outside:
        listed.notes.append(f"{path}: {outside:,} images lie in no class folder and are left out.")
    return listed.source(tuple(classes))
