"""Small data sets as files, for the tests of what reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pictures import picture

from al_lab.config.settings import Data
from al_lab.data.datasets import DataSet, load

CLASSES = ("cat", "dog")


def loaded(folder: Path, name: str, *, image_size: int = 8) -> DataSet:
    """A data set in a folder, its cache beside it."""
    return load(Data(name, image_size), folder, folder.parent / f"{folder.name}-cache")


def index_of(rows: Sequence[str], header: str = "split,original_index,label,class,path") -> bytes:
    """An index.csv."""
    return "\n".join([header, *rows, ""]).encode()


def indexed(train: int, test: int) -> dict[str, bytes]:
    """Files with an index.csv in a folder `pets`; image n of a part is n, 0, 0 in its corner.

    Cats are even, dogs odd. The index has the images in falling order.
    """
    files, rows = dict[str, bytes](), list[str]()
    for part, number in (("train", train), ("test", test)):
        for n in reversed(range(number)):
            path = f"{part}/{CLASSES[n % 2]}/{n}.png"
            files[f"pets/{path}"] = picture(size=(8, 8), shade=n)
            rows.append(f"{part},{n},{n % 2},{CLASSES[n % 2]},{path}")
    return {"pets/index.csv": index_of(rows), **files}


def write_npz(path: Path, train: int = 20, test: int = 10) -> Path:
    """Gray images of 8 px, each of the shade of its row; two classes in turns."""

    def part(images: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.arange(images, dtype=np.uint8)
        return np.broadcast_to(rows[:, None, None], (images, 8, 8)), rows % 2

    (x_train, y_train), (x_test, y_test) = part(train), part(test)
    arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    np.savez(path, allow_pickle=False, **arrays, classes=np.array(CLASSES))
    return path


def write_csv(path: Path, header: str, rows: Sequence[str]) -> Path:
    """A CSV file."""
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def corners(data_set: DataSet) -> Mapping[str, list[int]]:
    """The red of the first pixel of each image, by part."""
    return {
        "train": data_set.train.pixels[:, 0, 0, 0].tolist(),
        "test": data_set.test.pixels[:, 0, 0, 0].tolist(),
    }
