"""A data set is read whole from whatever format it is in; what cannot be used is told by place."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import picture, write_folder, write_tar, write_zip
from stored_data import CLASSES, corners, index_of, indexed, loaded, write_npz

from al_lab.data.datasets import NoData


def test_an_npz_becomes_images_of_three_channels_in_its_own_order(tmp_path: Path) -> None:
    write_npz(tmp_path / "gray.npz")
    found = loaded(tmp_path, "gray.npz")
    assert found.classes == CLASSES
    assert found.train.pixels.dtype == torch.uint8
    assert found.train.pixels.shape == (20, 3, 8, 8)
    assert found.train.truth.tolist() == [0, 1] * 10
    assert found.train.original.tolist() == list(range(20))
    assert corners(found) == {"train": list(range(20)), "test": list(range(10))}
    assert torch.equal(found.test.pixels[7], torch.full((3, 8, 8), 7, dtype=torch.uint8))


def test_an_npz_may_be_of_colors_and_without_names_of_classes(tmp_path: Path) -> None:
    colors = np.zeros((4, 8, 8, 3), np.uint8)
    colors[..., 2] = 9
    truth = np.array([[0], [1], [2], [1]])
    np.savez(tmp_path / "c.npz", x_train=colors, y_train=truth, x_test=colors, y_test=truth)
    found = loaded(tmp_path, "c.npz")
    assert found.classes == ("0", "1", "2")
    assert found.train.pixels[3, :, 5, 5].tolist() == [0, 0, 9]


def test_images_that_get_smaller_are_averaged(tmp_path: Path) -> None:
    board = np.indices((16, 16)).sum(axis=0) % 2 * 200
    images = np.broadcast_to(board.astype(np.uint8), (2, 16, 16))
    truth = np.array([0, 1])
    np.savez(tmp_path / "b.npz", x_train=images, y_train=truth, x_test=images, y_test=truth)
    pixels = loaded(tmp_path, "b.npz", image_size=8).train.pixels
    # Taking every other pixel would give 0 or 200 everywhere.
    assert (pixels.float() - 100).abs().max() <= 25
    assert (pixels[..., 1:-1, 1:-1].float() - 100).abs().max() <= 1


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"y_train": np.array([{}, {}], dtype=object)}, "allow_pickle=False"),
        ({"x_train": np.zeros((2, 8, 8))}, r"x_train is float64 \(2, 8, 8\)"),
        ({"x_train": np.zeros((2, 3, 8, 8), np.uint8)}, r"x_train is uint8 \(2, 3, 8, 8\)"),
        ({"y_train": np.array([0, 1, 1])}, "for 2 images"),
        ({"y_train": np.array([0, 7])}, "an image is of class 7; there are 2 classes"),
        ({"y_train": np.array([0, -1])}, "a train image is of class -1"),
    ],
)
def test_an_npz_with_other_arrays_is_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], words: str
) -> None:
    images, truth = np.zeros((2, 8, 8), np.uint8), np.array([0, 1])
    sound = {"x_train": images, "y_train": truth, "x_test": images, "y_test": truth}
    stored = {**sound, "classes": np.array(CLASSES), **arrays}
    np.savez(tmp_path / "a.npz", allow_pickle=True, **stored)
    with pytest.raises(NoData, match=words):
        loaded(tmp_path, "a.npz")


def test_an_npz_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = write_npz(tmp_path / "gray.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NoData, match=r"cut\.npz cannot be read"):
        loaded(tmp_path, "cut.npz")


@pytest.mark.parametrize("kind", ["p.tar.xz", "p.tar.gz", "p.tar", "p.zip", "p"])
def test_an_index_says_what_the_images_are_in_a_folder_and_in_any_archive(
    tmp_path: Path, kind: str
) -> None:
    files = indexed(train=12, test=4)
    if kind == "p":
        write_folder(tmp_path / "p", files)
    elif kind == "p.zip":
        write_zip(tmp_path / kind, files)
    else:
        write_tar(tmp_path / kind, files, f"w:{kind.removeprefix('p.tar').removeprefix('.')}")
    found = loaded(tmp_path, kind)
    assert found.classes == CLASSES
    assert found.train.original.tolist() == list(range(12))[::-1]
    assert corners(found) == {"train": list(range(12))[::-1], "test": [3, 2, 1, 0]}
    assert found.train.truth.tolist() == [1, 0] * 6
    assert found.notes == ()


def test_an_index_without_original_index_counts_the_rows_of_each_part(tmp_path: Path) -> None:
    files = indexed(train=0, test=0)
    rows = []
    for part, numbers in (("val", (5, 6)), ("train", (8, 7, 9))):
        for n in numbers:
            files[f"pets/{n}.png"] = picture(size=(8, 8), shade=n)
            rows.append(f"{part},{n % 2},{CLASSES[n % 2]},{n}.png")
    files["pets/index.csv"] = index_of(rows, "split,label,class,path")
    write_zip(tmp_path / "p.zip", files)
    found = loaded(tmp_path, "p.zip")
    assert corners(found) == {"train": [8, 7, 9], "test": [5, 6]}
    assert found.train.original.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("train,3,1,cat,a.png", r"line 4 .*label 1 is 'cat' here and 'dog' above"),
        ("train,3,x,cat,a.png", "line 4 .*'x'"),
        ("train,3,-1,bird,a.png", "line 4 .*label is -1"),
        (f"train,{10**30},1,dog,a.png", "line 4 .*original_index 10000"),
        ("extra,3,0,cat,a.png", "line 4 .*split is 'extra'; there are train, test and val"),
        ("train,3,0", "line 4 .*a value is missing"),
        ("train,,0,cat,a.png", "line 4 "),
        ("train,3,5,bird,a.png", r"without a gap; \[0, 1, 5\] occur"),
        ("train,1,0,cat,a.png", "an original_index occurs twice in the train part"),
    ],
)
def test_a_wrong_row_of_an_index_is_named(tmp_path: Path, row: str, words: str) -> None:
    rows = ["train,0,0,cat,a.png", "train,1,1,dog,a.png", row]
    files = {"index.csv": index_of(rows), "a.png": picture()}
    write_zip(tmp_path / "p.zip", files)
    with pytest.raises(NoData, match=rf"p\.zip, index\.csv.*{words}"):
        loaded(tmp_path, "p.zip")


def test_an_index_without_the_columns_says_which(tmp_path: Path) -> None:
    write_zip(tmp_path / "p.zip", {"index.csv": b"split,label,file\n"})
    with pytest.raises(NoData, match="has no column class and none path"):
        loaded(tmp_path, "p.zip")


def test_an_index_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "p.zip", {"index.csv": b"\xff\xfe\x00"})
    with pytest.raises(NoData, match=r"index\.csv cannot be read as a CSV file in UTF-8"):
        loaded(tmp_path, "p.zip")


def test_broken_and_missing_images_are_left_out_with_their_number_and_names(
    tmp_path: Path,
) -> None:
    files = indexed(train=30, test=10)
    files["pets/train/cat/4.png"] = b"no picture"
    del files["pets/train/dog/7.png"]
    files["pets/test/cat/2.png"] = files["pets/test/cat/2.png"][:38]
    write_zip(tmp_path / "p.zip", files)
    found = loaded(tmp_path, "p.zip")
    left = [n for n in reversed(range(30)) if n not in (4, 7)]
    assert found.train.original.tolist() == left
    assert corners(found)["train"] == left
    assert len(found.test) == 9
    first, second = found.notes
    assert first.startswith("p.zip: 2 of 30 train images cannot be used: pets/train/dog/7.png: ")
    assert "there is no such file; pets/train/cat/4.png: not a JPEG, PNG or WebP" in first
    assert second.startswith("p.zip: 1 of 10 test images cannot be used: pets/test/cat/2.png: ")
    assert loaded(tmp_path, "p.zip").notes == found.notes


def test_a_data_set_that_is_mostly_broken_is_refused(tmp_path: Path) -> None:
    files = indexed(train=10, test=10)
    files["pets/train/cat/4.png"] = files["pets/train/cat/2.png"] = b"no picture"
    write_zip(tmp_path / "p.zip", files)
    with pytest.raises(NoData, match=r"2 of 10 train images cannot be used: pets/train/cat/4"):
        loaded(tmp_path, "p.zip")


def class_folders(*names: str) -> dict[str, bytes]:
    """Pictures under these names, each of another shade."""
    return {name: picture(size=(8, 8), shade=n) for n, name in enumerate(sorted(names))}


@pytest.mark.parametrize("root", ["", "photos/v2/"])
@pytest.mark.parametrize("held_out", ["test", "val", "Validation"])
def test_class_folders_in_parts(tmp_path: Path, root: str, held_out: str) -> None:
    names = ["train/b/1.png", "train/a/x/2.jpg.png", f"{held_out}/b/3.png", "train/a/4.PNG"]
    files = class_folders(*(root + name for name in names))
    files |= {f"{root}README.txt": b"", f"{root}.DS_Store": b"", f"__MACOSX/{root}._a.png": b""}
    write_folder(tmp_path / "photos", files)
    found = loaded(tmp_path, "photos")
    assert found.classes == ("a", "b")
    assert found.train.truth.tolist() == [0, 0, 1]
    assert found.test.truth.tolist() == [1]
    assert found.notes == ()


def test_a_test_folder_is_preferred_and_images_outside_class_folders_are_counted(
    tmp_path: Path,
) -> None:
    names = ["train/a/1.png", "train/b/2.png", "test/a/3.png", "val/a/4.png", "val/b/5.png"]
    loose = ["train/6.png", "7.png", "others/a/8.png"]
    write_zip(tmp_path / "p.zip", class_folders(*names, *loose))
    found = loaded(tmp_path, "p.zip")
    assert (len(found.train), len(found.test)) == (2, 1)
    assert found.notes[0].endswith("3 images lie in no class folder and are left out.")


def test_class_folders_without_parts_hold_the_same_fifth_out_when_images_are_added(
    tmp_path: Path,
) -> None:
    names = [f"{kind}/{n}.png" for kind in ("cat", "dog") for n in range(100)]
    write_folder(tmp_path / "few", {name: picture(shade=n) for n, name in enumerate(names)})
    more = {f"dog/new{n}.png": picture(shade=500) for n in range(100)}
    write_folder(tmp_path / "more" / "train", {f: picture(shade=n) for n, f in enumerate(names)})
    write_folder(tmp_path / "more" / "train", more)
    few, many = loaded(tmp_path, "few"), loaded(tmp_path, "more")
    assert 25 <= len(few.test) <= 55
    assert few.classes == many.classes == ("cat", "dog")
    assert set(few.test.pixels[:, 0, 0, 0].tolist()) <= set(many.test.pixels[:, 0, 0, 0].tolist())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["train/a/1.png", "test/a/2.png", "test/b/3.png"], "no training image is of the class b"),
        (["train/a/1.png", "test/a/2.png"], "all images are of one class"),
        (["readme.txt"], "has no train images in class folders or an index"),
        (["1.png", "2.png"], "has no train images"),
    ],
)
def test_folders_that_are_no_data_set_are_refused(
    tmp_path: Path, names: list[str], words: str
) -> None:
    write_folder(tmp_path / "p", class_folders(*names))
    with pytest.raises(NoData, match=words):
        loaded(tmp_path, "p")


def test_names_that_lead_outside_are_names_and_nothing_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(size=(8, 8), shade=99))
    data = tmp_path / "data"
    data.mkdir()
    files = indexed(train=20, test=2)
    rows = files["pets/index.csv"].decode().replace("train/dog/7.png", "../../../secret.png")
    files["pets/index.csv"] = rows.encode()
    write_folder(data / "folder", files)
    found = loaded(data, "folder")
    assert 99 not in corners(found)["train"]
    assert "secret.png: there is no such file" in found.notes[0]
    outside = {**indexed(train=2, test=2), "../../evil.png": picture(), "/evil.png": picture()}
    write_zip(data / "p.zip", outside)
    write_tar(data / "p.tar", outside)
    assert len(loaded(data, "p.zip").train) == len(loaded(data, "p.tar").train) == 2
    assert not list(tmp_path.rglob("evil.png"))


def test_links_in_a_tar_are_not_followed(tmp_path: Path) -> None:
    files = indexed(train=20, test=2)
    del files["pets/train/dog/7.png"]
    with tarfile.open(tmp_path / "p.tar", "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("pets/train/dog/7.png")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "p.tar")
        archive.addfile(link)
    assert "7.png: there is no such file" in loaded(tmp_path, "p.tar").notes[0]


@pytest.mark.parametrize("name", ["cut.tar.xz", "cut.zip", "words.zip", "empty"])
def test_an_archive_that_is_damaged_or_none_is_refused(tmp_path: Path, name: str) -> None:
    files = indexed(train=10, test=4)
    tar = write_tar(tmp_path / "w.tar.xz", files, "w:xz").read_bytes()
    zipped = write_zip(tmp_path / "w.zip", files).read_bytes()
    contents = {"cut.tar.xz": tar[:-200], "cut.zip": zipped[:-200], "words.zip": b"words"}
    (tmp_path / name).write_bytes(contents.get(name, b""))
    with pytest.raises(NoData, match="is damaged, or none of what can be read"):
        loaded(tmp_path, name)


def test_what_is_not_there_is_said_with_what_is(tmp_path: Path) -> None:
    write_npz(tmp_path / "fashion_mnist.npz")
    with pytest.raises(NoData, match=r"did you mean fashion_mnist\.npz\?"):
        loaded(tmp_path, "fashionmnist.npz")
    with pytest.raises(NoData, match=r"there are fashion_mnist\.npz\."):
        loaded(tmp_path, "cifar")
    for outside in ("../data", str(tmp_path), ""):
        with pytest.raises(NoData, match="it names a file or folder under that of --data"):
            loaded(tmp_path, outside)
