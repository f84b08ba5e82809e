"""Data sets of libraries: torchvision's by name, and scikit-learn's digits."""

import inspect
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from al_engine.architectures.torchvision_ops import import_torchvision
from al_lab.data.files import NoData
from al_lab.data.formats import Item, Part, Source, is_held_out, part_in_memory

TORCHVISION: Final = "torchvision:"
DIGITS: Final = "sklearn:digits"
# Raised by torchvision for a data set that is missing, incomplete or cannot be downloaded.
_TORCHVISION_ERRORS: Final = (ImportError, OSError, RuntimeError, ValueError)


def find_source(name: str, folder: Path | None, downloads: Path) -> Callable[[], Source] | None:
    """A function that returns the data set with this `Data.name`; None where no library has it."""
    if name == DIGITS:
        return digits
    if name.startswith(TORCHVISION):
        return partial(torchvision_source, name.removeprefix(TORCHVISION), folder, downloads)
    return None


def digits() -> Source:
    """scikit-learn's 1,797 digits of 8 px, a fifth of them held out; raises NoData."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise NoData(f"{DIGITS} needs scikit-learn ({error}): pip install scikit-learn") from error
    found = load_digits()
    gray = np.round(found.images * (255 / 16)).astype(np.uint8)  # their shades are 0 to 16
    held_out = np.array([is_held_out(f"digits/{row}") for row in range(len(gray))])
    train, test = (
        part_in_memory(gray, found.target, "digits", np.flatnonzero(mask).tolist())
        for mask in (~held_out, held_out)
    )
    return Source(tuple(str(name) for name in found.target_names), train, test)


def torchvision_source(name: str, folder: Path | None, downloads: Path) -> Source:
    """torchvision's data set of this name, from `folder` if it is there, else downloaded.

    Its test part is that of its split "test", or else "val". Raises NoData.
    """
    try:
        import_torchvision()
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:
        raise NoData(f"{TORCHVISION}{name} needs torchvision ({error}).") from error
    kind = getattr(datasets, name, None)
    if not (inspect.isclass(kind) and issubclass(kind, datasets.VisionDataset)):
        near = get_close_matches(name, datasets.__all__, n=1)
        hint = f"; did you mean {TORCHVISION}{near[0]}?" if near else "."
        raise NoData(f"torchvision has no data set {name}{hint}")
    parts = _parts(name, inspect.signature(kind).parameters)
    train, test = (_part(kind, options, folder, downloads) for options in parts)
    classes = getattr(train, "classes", ())
    return Source(
        tuple(each if isinstance(each, str) else ", ".join(each) for each in classes),
        Part(len(train), _items(name, train)),
        Part(len(test), _items(name, test)),
    )


def _parts(name: str, parameters: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Alternative arguments for the training part and for the test part, the preferred first."""
    if "train" in parameters:
        return [{"train": True}], [{"train": False}]
    if "split" in parameters:
        return [{"split": "train"}, {"split": "trainval"}], [{"split": "test"}, {"split": "val"}]
    raise NoData(f"{TORCHVISION}{name} has no training and test part.")


def _part(kind: Any, options: list[dict[str, Any]], folder: Path | None, downloads: Path) -> Any:
    downloaded = "download" in inspect.signature(kind).parameters
    asked = [] if folder is None else [(folder, each) for each in options]
    asked += [(downloads, {**each, "download": True} if downloaded else each) for each in options]
    failures: list[Exception] = []
    for root, part in asked:
        try:
            return kind(root=root, **part)
        except _TORCHVISION_ERRORS as error:
            failures.append(error)
    # A ValueError only says that a split does not exist.
    failures.sort(key=lambda error: isinstance(error, ValueError), reverse=True)
    reason = " ".join(str(failures[-1]).split())
    raise NoData(
        f"{TORCHVISION}{kind.__name__} is not in the folder of --data and cannot be downloaded "
        f"({reason}). Where there is a network, run this once and copy {downloads} from "
        "there, or give the folder that torchvision unpacked it to as --data."
    )


def _items(name: str, part: Any) -> Iterator[Item]:
    for row in range(len(part)):
        place = f"{TORCHVISION}{name}, image {row}"
        try:
            picture, truth = part[row]
        except _TORCHVISION_ERRORS as error:
            raise NoData(f"{place} cannot be read: {error}") from error
        if not isinstance(picture, Image.Image) or not isinstance(truth, int | np.integer):
            raise NoData(f"{place}: this is no data set of images with one class each.")
        yield Item(place, int(truth), row, picture.copy)
