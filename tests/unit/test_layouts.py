"""Class folders are found whatever lies around them: what is no image decides nothing."""

import zipfile
from pathlib import Path

import pytest
from pictures import picture, write_folder, write_tar, write_zip

from annotator_site.importing.known_labels import KnownLabels, known_labels
from annotator_site.importing.layout import survey
from annotator_site.importing.sources import open_source

CHOICES = {"cat": 1, "dog": 2}
KINDS = ["folder", "zip", "w:gz"]
WRAPPERS = ["", "data/", "repo-main/images/", "a/b/c/d/", "train/", "cats & dogs/"]
TEXT = b"Some words about these images."
BESIDE: dict[str, list[str]] = {
    "nothing": [],
    "a read-me": ["README.txt", "LICENSE", "README"],
    "tables": ["labels.csv", "data.json", "meta/annotations.xml", "dog.txt", "cat/boxes.json"],
    "litter of a Mac": ["__MACOSX/data/._1.png", "__MACOSX/._data", ".DS_Store", "cat/.DS_Store"],
    "litter of Windows": ["Thumbs.db", "thumbs.db", "cat/Desktop.ini", "$RECYCLE.BIN/x/1.png"],
    "litter of storage": ["@eaDir/1.png/SYNOPHOTO.jpg", "lost+found/1", "#recycle/a"],
    "hidden folders": [".git/objects/1", ".ipynb_checkpoints/1.png"],
    "documents": ["docs/guide/index.html", "docs/other/paper.pdf", "src/main.py"],
    "unusable pictures": ["old/1.gif", "old/2.tif", "cover.bmp"],
    "an empty file": ["new/empty.png", "empty"],
    "texts called pictures": ["notes/readme.png", "todo.jpg"],
}  # fmt: skip


def make(kind: str, folder: Path, files: dict[str, bytes]) -> Path:
    if kind == "folder":
        return write_folder(folder / "images", files)
    path = folder / "images"
    return write_zip(path, files) if kind == "zip" else write_tar(path, files, kind)


def labels_of(path: Path, how: str | None = None) -> tuple[KnownLabels, dict[str, int | None]]:
    """The labels, and those of all images by name."""
    source = open_source(path)
    labels = known_labels(how=how, choices=CHOICES, seen=survey(source.files()))
    return labels, {
        each.name: labels.choice_of(each.name) for each in source.entries() if each.data
    }


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_lies_beside_and_around_class_folders_hides_none(
    kind: str, wrapper: str, beside: str, tmp_path: Path
) -> None:
    images = {f"{wrapper}cat/1.png": 1, f"{wrapper}dog/2.png": 2, f"{wrapper}Dog/deep/3.png": 2}
    files = {name: picture(shade=number) for number, name in enumerate(images, 1)}
    for name in BESIDE[beside]:
        for place in {"", wrapper}:
            files[place + name] = b"" if "empty" in name else TEXT

    labels, found = labels_of(make(kind, tmp_path, files))

    assert found == images
    assert labels.problems() == []


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("mark", ["/", "\\", "dos", "unix"])
def test_folders_that_a_zip_stores_as_entries_hide_nothing(
    mark: str, wrapper: str, tmp_path: Path
) -> None:
    slash = "\\" if mark == "\\" else "/"
    folders = [wrapper, f"{wrapper}cat/", f"{wrapper}dog/", f"{wrapper}cat/empty/"]
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in filter(None, folders):
            info = zipfile.ZipInfo("x")
            info.filename = name.rstrip("/").replace("/", slash) + (mark if mark in "/\\" else "")
            info.create_system = 3 if mark == "unix" else 0
            info.external_attr = {"dos": 0x10, "unix": 0o040755 << 16}.get(mark, 0)
            archive.writestr(info, b"")
        for number, name in enumerate(("cat", "dog")):
            info = zipfile.ZipInfo("x")
            info.filename = f"{wrapper}{name}/1.png".replace("/", slash)
            archive.writestr(info, picture(shade=number + 1))

    labels, found = labels_of(path)

    assert found == {f"{wrapper}cat/1.png": 1, f"{wrapper}dog/1.png": 2}
    assert labels.problems() == []
    assert [entry.problem for entry in open_source(path).entries() if entry.problem] == []


def test_folders_of_a_tar_with_back_slashes_hide_nothing(tmp_path: Path) -> None:
    files = {"data\\": b"", "data\\cat\\": b"", "data\\cat\\1.png": picture(shade=1)}
    path = write_tar(tmp_path / "images.tar", {**files, "data\\dog\\2.png": picture(shade=2)})

    _, found = labels_of(path)

    assert found == {"data/cat/1.png": 1, "data/dog/2.png": 2}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [None, "folder"])
@pytest.mark.parametrize(
    "parts",
    [
        ("train", "test"), ("train", "val"), ("train", "val", "test"), ("Training", "Testing"),
        ("train", "valid", "test"), ("training_set", "test_set"), ("train2017", "val2017"),
        ("TRAIN", "EVAL"), ("train-data", "holdout"), ("dev", "test"), ("train", "test", "more"),
    ],
)  # fmt: skip
def test_the_parts_of_a_data_set_get_a_hint_that_names_the_option(
    kind: str, how: str | None, parts: tuple[str, ...], tmp_path: Path
) -> None:
    files = {
        f"data/{part}/{name}/{number}.png": picture(shade=10 * place + number)
        for place, part in enumerate(parts)
        for number, name in enumerate(("cat", "dog"), 1)
    }
    labels, found = labels_of(make(kind, tmp_path, {**files, "data/README": TEXT}), how)

    told = " ".join(labels.problems())
    assert set(found.values()) == {None}
    assert "--split holdout" in told
    assert all(f"“{part}”" in told for part in parts if part != "more")


def test_folders_that_are_classes_are_no_parts(tmp_path: Path) -> None:
    files = {f"{name}/1.png": picture(shade=len(name)) for name in ("train", "test")}
    source = open_source(write_folder(tmp_path / "in", files))
    seen = survey(source.files())

    labels = known_labels(how=None, choices={"train": 1, "test": 2}, seen=seen)

    assert (labels.choice_of("test/1.png"), labels.problems()) == (2, [])


def test_a_wrapper_that_is_called_like_a_class_is_a_wrapper_where_classes_lie_in_it(
    tmp_path: Path,
) -> None:
    files = {f"cat/{name}/1.png": picture(shade=len(name)) for name in ("cat", "doggy")}
    _, found = labels_of(write_folder(tmp_path / "one", files))
    assert set(found.values()) == {1}

    files = {f"cat/{name}/1.png": picture(shade=place) for place, name in enumerate(("cat", "dog"))}
    _, found = labels_of(write_folder(tmp_path / "two", files))
    assert found == {"cat/cat/1.png": 1, "cat/dog/1.png": 2}
