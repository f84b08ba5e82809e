"""The images of the demo campaign: scikit-learn's handwritten digits, or a larger public set.

Pictures stream, so that memory does not grow with the set. They are written as class folders and
go through the same import as any other images.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

Split = Literal["pool", "holdout"]
DatasetName = Literal["digits", "fashion_mnist", "cifar10"]


class DataMissing(Exception):
    """The images of a data set cannot be read or downloaded; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One image as a file: its name without suffix, its class, JPEG or PNG bytes."""

    split: Split
    class_name: str
    name: str
    data: bytes

    @property
    def file_name(self) -> str:
        """The name with the suffix of its format."""
        return self.name + (".jpg" if self.data.startswith(b"\xff\xd8") else ".png")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything that a demo campaign is made from, except the pictures."""

    name: DatasetName
    title: str
    classes: tuple[str, ...]
    instructions: str
    settings: dict[str, Any]
    hotkeys: tuple[str, ...] = field(default=())


DATASETS: Final[dict[str, Dataset]] = {
    "digits": Dataset(
        name="digits",
        title="Handwritten digits",
        classes=tuple("0123456789"),
        hotkeys=tuple("0123456789"),
        instructions="""\
Which digit is it? **Press its key.**

- The pictures are tiny (8 × 8 pixels): look from a little further away.
- **1 or 7?** A seven has a bar on top, at times one through its middle, too.
- **3, 8 or 9?** An eight is closed twice, a nine once, a three nowhere.
- **5 or 6?** The lower bow of a six is closed.
- If you cannot tell, skip it: a guess teaches the model the wrong thing.
""",
        settings={"architectures": ["small_cnn"], "image_size": 8},
    ),
    "fashion_mnist": Dataset(
        name="fashion_mnist",
        title="Fashion-MNIST",
        classes=(
            "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
            "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        instructions="""\
Which piece of clothing is it?

- **T-shirt**: short sleeves or none, no buttons. **Shirt**: buttons or a collar.
- **Pullover**: long sleeves, closed in front. **Coat**: long sleeves, open in front.
- **Sandal**: you can see through it. **Sneaker**: flat. **Ankle boot**: covers the ankle.
""",
        settings={"architectures": ["small_cnn"], "image_size": 28},
    ),
    "cifar10": Dataset(
        name="cifar10",
        title="CIFAR-10",
        classes=(
            "airplane", "automobile", "bird", "cat", "deer",
            "dog", "frog", "horse", "ship", "truck",
        ),
        instructions="""\
What is in the picture?

- **Automobile**: cars of all kinds, vans included. **Truck**: big trucks alone, no pickups.
- **Cat or dog?** Look at the ears and the muzzle.
- **Deer or horse?** Look for antlers, and at the length of the neck and the tail.
""",
        settings={"architectures": ["small_cnn"], "image_size": 32},
    ),
}  # fmt: skip


def digits() -> Iterator[Picture]:
    """The 1,797 digits of scikit-learn's `load_digits`, every third one for the holdout.

    They are not ordered by class, so about a third of each class is in the holdout.
    """
    from sklearn.datasets import load_digits  # this import takes a second; only the demo needs it

    bunch = load_digits()
    # float64 (1797, 8, 8) from 0 to 16
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    for number, (image, label) in enumerate(zip(pixels, bunch.target, strict=True)):
        split: Split = "holdout" if number % 3 == 2 else "pool"
        yield Picture(split, str(label), f"digit-{number:04}", png(image))


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Pixels (height, width), or (height, width, 3), as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_folders(pictures: Iterable[Picture], folder: Path) -> None:
    """Write pictures as `folder`/<split>/<class>/<name>, the layout that an import reads."""
    made: set[Path] = set()
    for picture in pictures:
        place = folder / picture.split / picture.class_name
        if place not in made:
            place.mkdir(parents=True, exist_ok=True)
            made.add(place)
        (place / picture.file_name).write_bytes(picture.data)
