"""Data sets of scikit-learn and torchvision, by name."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from stored_data import loaded

from al_lab.config.settings import Data
from al_lab.data.datasets import NoData, load


def test_the_digits_are_all_there_and_a_fifth_is_held_out(tmp_path: Path) -> None:
    found = load(Data("sklearn:digits", 8), None, tmp_path)
    assert (len(found.train), len(found.test)) == (1444, 353)
    assert found.classes == tuple("0123456789")
    known = load_digits()
    for images in (found.train, found.test):
        rows = images.original.numpy()
        assert np.array_equal(images.truth.numpy(), known.target[rows])
        shades = images.pixels[:, 1].numpy() * (16 / 255)
        assert np.abs(shades - known.images[rows]).max() < 0.05
    assert not set(found.train.original.tolist()) & set(found.test.original.tolist())


def write_mnist(folder: Path) -> None:
    """MNIST as torchvision unpacks it, of a few images; their shades are their rows."""
    folder.mkdir(parents=True)
    for part, images in (("train", 6), ("t10k", 4)):
        rows = np.arange(images, dtype=np.uint8)
        pixels = np.broadcast_to(rows[:, None, None], (images, 28, 28)).tobytes()
        shape = b"".join(size.to_bytes(4) for size in (images, 28, 28))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + shape + pixels)
        labels = b"\0\0\x08\x01" + images.to_bytes(4) + (rows % 10).tobytes()
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)


def test_a_data_set_of_torchvision_that_lies_in_the_folder_is_read_from_there(
    tmp_path: Path,
) -> None:
    write_mnist(tmp_path / "data" / "MNIST" / "raw")
    found = loaded(tmp_path / "data", "torchvision:MNIST", image_size=14)
    assert found.train.pixels.shape == (6, 3, 14, 14)
    assert found.train.truth.tolist() == found.train.original.tolist() == list(range(6))
    assert found.test.pixels[:, 2, 5, 5].tolist() == [0, 1, 2, 3]
    assert found.classes[0] == "0 - zero"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torchvision:CIFAR", r"no data set CIFAR; did you mean torchvision:CIFAR10\?"),
        ("torchvision:os", "no data set os"),
        ("torchvision:FakeData", "has no training and test part"),
        # One of those that nobody may download.
        ("torchvision:ImageNet", "cannot be downloaded .*copy .*torchvision from there"),
    ],
)
def test_what_torchvision_cannot_give_is_said(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(NoData, match=words):
        loaded(tmp_path, name)
