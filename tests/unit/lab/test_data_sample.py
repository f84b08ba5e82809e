"""A seed's sample of a data set: the same whatever the arm, and nothing of it twice."""

from pathlib import Path

import pytest
import torch
from stored_data import loaded, write_npz

from al_lab.config.settings import Data
from al_lab.data.datasets import DataSet, Images, NoData, draw


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    folder = tmp_path_factory.mktemp("stored")
    write_npz(folder / "gray.npz", train=100, test=40)
    return loaded(folder, "gray.npz")


def rows(images: Images) -> list[int]:
    # Truth and pixels come along with the row.
    assert torch.equal(images.truth, images.original % 2)
    assert torch.equal(images.pixels[:, 1, 3, 3].long(), images.original)
    return images.original.tolist()


def sample(stored: DataSet, seed: int = 0, **sizes: int) -> tuple[list[int], list[int], list[int]]:
    pool, test = draw(stored, Data("gray.npz", 8, **sizes), seed=seed)
    assert len(pool) == len(pool.shows) == len(pool.images) * sizes.get("copies", 1)
    return rows(pool.images), rows(pool.validation), rows(test)


def test_all_images_are_drawn_where_no_size_is_given(stored: DataSet) -> None:
    pool, validation, test = sample(stored)
    assert sorted(pool) == list(range(100))
    assert validation == []
    assert test == list(range(40))


def test_a_seed_draws_the_same_and_another_seed_another_sample(stored: DataSet) -> None:
    assert sample(stored, 3, train=30, test=10) == sample(stored, 3, train=30, test=10)
    assert sample(stored, 3, train=30, test=10) != sample(stored, 4, train=30, test=10)


def test_a_smaller_sample_is_part_of_a_larger_one_and_the_test_is_the_same(
    stored: DataSet,
) -> None:
    small, _, tested = sample(stored, train=30, test=10)
    large, _, tested_again = sample(stored, train=60, test=10, copies=4, validation=20)
    assert large[:30] == small
    assert tested_again == tested
    assert sample(stored, train=30, test=20)[2][:10] == tested


def test_validation_images_are_apart_from_the_pool(stored: DataSet) -> None:
    pool, validation, _ = sample(stored, train=70, validation=30)
    assert sorted(pool + validation) == list(range(100))
    rest, validation, _ = sample(stored, validation=30)
    assert sorted(rest + validation) == list(range(100))
    assert len(validation) == 30


def test_copies_show_the_same_image(stored: DataSet) -> None:
    pool, _ = draw(stored, Data("gray.npz", 8, train=5, copies=3), seed=0)
    assert pool.shows.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert len(pool.images) == 5


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"train": 101}, "asks for 101 images to be labeled and 0 for validation; .* has 100"),
        ({"train": 90, "validation": 11}, "90 images .* 11 for validation"),
        ({"validation": 100}, "all images .* 100 for validation"),
        ({"test": 41}, r"data\.test asks for 41 images; .*gray\.npz has 40"),
        ({"copies": 0}, r"data\.copies 1 or more"),
        ({"train": -1}, "0 or more"),
    ],
)
def test_more_images_than_there_are_is_said(
    stored: DataSet, sizes: dict[str, int], words: str
) -> None:
    with pytest.raises(NoData, match=words):
        draw(stored, Data("gray.npz", 8, **sizes), seed=0)


def test_the_test_part_can_be_the_pool(tmp_path: Path) -> None:
    write_npz(tmp_path / "gray.npz", train=20, test=10)
    turned, plain = loaded(tmp_path, "gray.npz#test"), loaded(tmp_path, "gray.npz#train")
    assert (len(turned.train), len(turned.test), turned.part) == (10, 20, "test")
    assert (len(plain.train), len(plain.test), plain.part) == (20, 10, "train")
    with pytest.raises(NoData, match="after # comes train, test, or a CSV of recorded labels"):
        loaded(tmp_path, "gray.npz#rest")


def test_an_image_of_no_pixels_is_refused(tmp_path: Path) -> None:
    write_npz(tmp_path / "gray.npz")
    with pytest.raises(NoData, match=r"data\.image_size is 0"):
        loaded(tmp_path, "gray.npz", image_size=0)
