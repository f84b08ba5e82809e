"""Answers of real people: CSV files of recorded labels.

A file is in the folder of --data, or in `crowd_labels.zip` there. Its columns are:

    train_index or test_index       which image of which part, in the published order
    clean_label or label            its true class
    and the answers, in one of three forms:
    random_label1, random_label2 …  an answer in each column (CIFAR-10N)
    top1                            an answer in each row, several rows an image (CIFAR-10S)
    a column for each class         how many people gave this answer (CIFAR-10H)

Rows with 1 in a column is_repeat, a person's second answer about the same image, are left out.
"""

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from al_lab.data.files import DAMAGE_ERRORS, NoData

ARCHIVE: Final = "crowd_labels.zip"
PartName = Literal["train", "test"]
_PARTS: Final[dict[str, PartName]] = {"train_index": "train", "test_index": "test"}
_LARGEST_NUMBER: Final = 10**9  # of any number in a file
_CLASSES_NAMED: Final = 10
_Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class RecordedLabels:
    """Labels of n images of one part, in the order of `original`.

    `original` int64 (n,): which image. `truth` int64 (n,): its true class, as in the file.
    `counts` int64 (n, classes): how many people gave each answer.
    """

    file: str
    part: PartName
    original: Tensor
    truth: Tensor
    counts: Tensor


def read(name: str, folder: Path | None, classes: tuple[str, ...]) -> RecordedLabels:
    """The labels of a file, as numbers of these classes. Raises NoData."""
    reader = csv.DictReader(io.StringIO(_text(name, folder), newline=""), strict=True)
    truths, counts = dict[int, int](), dict[int, list[int]]()
    try:
        part, index, truth, answers = _columns(list(reader.fieldnames or ()), classes, name)
        for row in reader:
            if row.get("is_repeat") == "1":
                continue
            image, known, voted = _number(row[index]), _number(row[truth]), answers(row)
            if truths.setdefault(image, known) != known:
                raise ValueError(f"image {image} is of another class above")
            before = counts.get(image, [0] * len(classes))
            counts[image] = [one + more for one, more in zip(before, voted, strict=True)]
    except NoData:
        raise
    except (TypeError, ValueError, csv.Error) as error:
        raise NoData(f"{name}, line {reader.line_num} cannot be used: {error}.") from error
    images = sorted(image for image, voted in counts.items() if any(voted))
    if not images:
        raise NoData(f"{name} has no labels.")
    return RecordedLabels(
        file=name,
        part=part,
        original=torch.tensor(images),
        truth=torch.tensor([truths[image] for image in images]),
        counts=torch.from_numpy(np.array([counts[image] for image in images], dtype=np.int64)),
    )


def _columns(
    columns: list[str], classes: tuple[str, ...], name: str
) -> tuple[PartName, str, str, Callable[[_Row], list[int]]]:
    """The part, the columns of index and truth, and what counts the answers of a row by class."""
    index = next((each for each in _PARTS if each in columns), None)
    truth = next((each for each in ("clean_label", "label") if each in columns), None)
    single = [each for each in columns if each == "top1" or each.startswith("random_label")]
    counted = set(classes) <= set(columns)
    if index is None or truth is None or not (counted or single):
        more = ", …" if len(classes) > _CLASSES_NAMED else ""
        raise NoData(
            f"{name} is not about images of these classes: it needs the columns train_index or "
            "test_index, clean_label or label, and random_label1 …, top1, or one for each class "
            f"({', '.join(classes[:_CLASSES_NAMED])}{more})."
        )

    def answers(row: _Row) -> list[int]:
        if counted:
            return [_number(row[each]) for each in classes]
        votes = [0] * len(classes)
        for answer in (_number(row[each]) for each in single):
            if answer >= len(classes):
                raise ValueError(f"there is no class {answer}")
            votes[answer] += 1
        return votes

    return _PARTS[index], index, truth, answers


def _number(text: str) -> int:
    if not 0 <= (number := int(text)) <= _LARGEST_NUMBER:
        raise ValueError(f"{number} is not from 0 to {_LARGEST_NUMBER:,}")
    return number


def _text(name: str, folder: Path | None) -> str:
    if folder is None:
        raise NoData(f"{name}: say with --data in which folder it or {ARCHIVE} is.")
    if Path(name).name != name:
        raise NoData(f"{name}: recorded labels lie in the folder of --data or in its {ARCHIVE}.")
    try:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8-sig")
        with zipfile.ZipFile(folder / ARCHIVE) as archive:
            there = sorted(each for each in archive.namelist() if each.endswith(".csv"))
            if name in there:
                return archive.read(name).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise NoData(f"there is no {name} in {folder}, nor a {ARCHIVE}.") from error
    except DAMAGE_ERRORS as error:
        raise NoData(f"{name} in {folder} cannot be read: {error}.") from error
    raise NoData(f"there is no {name} in {folder / ARCHIVE}; there are {', '.join(there)}.")
