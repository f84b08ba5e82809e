"""Known labels come from folders or a CSV; what does not fit is said and harms nothing else."""

import codecs
import csv
import io
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator_site.importing.entries import Found, SourceError
from annotator_site.importing.file_names import clean_name
from annotator_site.importing.known_labels import (
    Classes,
    KnownLabels,
    known_labels,
    read_csv,
)
from annotator_site.importing.layout import Survey, survey

CHOICES = {"Cat": 1, "dog": 2}


def is_picture(name: str) -> bool:
    return not name.endswith((".txt", ".json"))


def surveyed(names: list[str]) -> Survey:
    """The layout of files with these names."""
    return survey(Found(name, partial(is_picture, name)) for name in names)


def labels_of(names: list[str], how: str | Path | None = None) -> KnownLabels:
    return known_labels(how=how, choices=CHOICES, seen=surveyed(names))


def found(names: list[str], how: str | Path | None = None) -> list[int | None]:
    labels = labels_of(names, how)
    return [labels.choice_of(name) for name in names]


def test_folders_are_labels_where_every_one_is_a_class_in_whatever_case() -> None:
    assert found(["cat/1.png", "DOG/2.png", "dog/deep/3.png", "loose.png"]) == [1, 2, 2, None]


def test_one_folder_that_is_no_class_leaves_all_without_labels() -> None:
    assert found(["cat/1.png", "dgo/2.png"]) == [None, None]


def test_folders_that_are_no_classes_are_named_when_asked_for_folders() -> None:
    labels = labels_of(["cat/1.png"], "folder")

    assert [labels.choice_of(name) for name in ("cat/1", "dgo/2", "dgo/3", "4")] == [
        1,
        None,
        None,
        None,
    ]
    assert labels.problems() == [
        "the top folder is no class of this campaign: 1 images without a known label",
        "folder “dgo” is no class of this campaign: 2 images without a known label",
    ]


def test_an_archive_of_a_folder_counts_as_that_folder() -> None:
    assert found(["data/cat/1.png", "data/dog/2.png", "__MACOSX/x"]) == [1, 2, None]


def test_a_single_folder_that_is_a_class_is_one() -> None:
    assert found(["dog/a/1.png", "dog/b/2.png"]) == [2, 2]


def test_classes_that_differ_in_case_only_must_be_written_exactly() -> None:
    labels = known_labels(how="folder", choices={"a": 1, "A": 2, "b": 3}, seen=surveyed([]))

    assert [labels.choice_of(f"{folder}/1.png") for folder in "aAbB"] == [1, 2, 3, 3]


def test_none_means_none() -> None:
    assert found(["cat/1.png"], "none") == [None]


def test_a_csv_labels_by_path_and_its_wrong_rows_harm_no_other(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(
        "Label,path,note\n"
        "cat,a/1.png,x\n"
        "bird,a/2.png\n"
        "dog,../3.png\n"
        'dog,"./a/4,5.png",extra,more\n'
        "cat,a/1.png\n"
        "dog,a\\6.png\n"
        "dog,a/missing.png\n"
        "dog\n"
        "dog,data/a/8.png\n",
        encoding="utf-8-sig",
    )
    labels = labels_of(["data/a/1.png", "data/a/8.png"], table)

    names = ["a/1.png", "a/2.png", "a/4,5.png", "a/6.png", "data/a/8.png"]
    assert [labels.choice_of(name) for name in names] == [1, None, 2, 2, 2]
    assert labels.problems() == [
        "line 3: “bird” is no class of this campaign",
        "line 4: “../3.png” is a path that leads out of the archive",
        "line 6: “a/1.png” stood on line 2 already",
        "line 9: the path is empty",
        "line 8: there is no image “a/missing.png”",
    ]


TABLES = st.lists(
    st.tuples(
        st.text("aüЖ é,;\t\"'=", min_size=1, max_size=8).map(lambda name: f"f{name}.png"),
        st.sampled_from(["Cat", "dog"]),
    ),
    max_size=8,
    unique_by=lambda row: row[0],
)
ENCODINGS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "utf-16": b"",
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=TABLES,
    encoding=st.sampled_from(sorted(ENCODINGS)),
    separator=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    said=st.booleans(),
)
def test_a_table_is_read_however_a_spreadsheet_wrote_it(
    rows: list[tuple[str, str]], encoding: str, separator: str, end: str, said: bool, tmp_path: Path
) -> None:
    text = io.StringIO()
    if said:
        text.write(f"sep={separator}{end}")
    csv.writer(text, delimiter=separator, lineterminator=end).writerows([("path", "label"), *rows])
    path = tmp_path / "labels.csv"
    path.write_bytes(ENCODINGS[encoding] + text.getvalue().encode(encoding))

    labels = read_csv(path, Classes(CHOICES))

    # Names are kept as the source's own are: control characters are shown as such.
    assert [labels.choice_of(clean_name(name)) for name, _ in rows] == [
        CHOICES[label] for _, label in rows
    ]
    assert labels.problems() == []


def test_a_table_may_come_through_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "labels"
    os.mkfifo(pipe)
    table = "path,label\n1.png,dog\n".encode("utf-16")
    with ThreadPoolExecutor(1) as threads:
        threads.submit(pipe.write_bytes, table)
        assert found(["1.png"], pipe) == [2]


def test_a_path_with_two_classes_has_neither(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("path;label\na.png;cat\nb.png;dog\na.png;dog\na.png;cat\n")

    labels = labels_of([], table)

    assert [labels.choice_of(name) for name in ("a.png", "b.png")] == [None, 2]
    assert labels.problems()[0] == (
        "line 4: “a.png” is “dog” here and another class on line 2: neither counts until one of "
        "the lines is taken out"
    )


def test_paths_of_a_csv_may_leave_out_the_single_top_folder(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("path,label\na/1.png,dog\n", encoding="utf-8")

    assert found(["data/a/1.png"], table) == [2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"name,class\n1.png,cat\n", "needs a first line with the columns path,label"),
        (b"", "needs a first line with the columns path,label"),
        (b"path,label\n\xff.png,cat\n", "is not a CSV in UTF-8"),
        (b"path,label\n" + b"x" * 200_000, "is not a CSV in UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_such_csv_says_so(data: bytes | None, message: str, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    if data is not None:
        table.write_bytes(data)

    with pytest.raises(SourceError, match=message):
        labels_of([], table)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_compared_as_people_see_them(form: Literal["NFC", "NFD"]) -> None:
    names = {"Äpfel": 1, "é": 2, "É ": 3, "a\u00a0b": 4, "❤\ufe0f": 5}
    choices = {unicodedata.normalize(form, name): number for name, number in names.items()}
    classes = Classes(choices)

    assert [classes.find(name) for name in ("Äpfel", "a\u0308pfel", "A\u0308PFEL")] == [1, 1, 1]
    assert [classes.find(name) for name in ("e\u0301", "\u00c9", "A  B", "❤")] == [2, 3, 4, 5]
    assert [classes.find(name) for name in ("", "\u200d", "apfel", "e")] == [None] * 4


def test_a_folder_that_is_no_class_is_told_where_folders_were_not_asked_for() -> None:
    (told,) = labels_of(["cat/1.png", "dgo/2.png"]).problems()
    assert "because “dgo” is no class of this campaign" in told
    assert "--known-labels folder" in told
    (told,) = labels_of([f"{number}/1.png" for number in range(9)]).problems()
    assert "“0”, “1”, “2”, “3”, “4” and 4 more are no classes of this campaign." in told
    assert labels_of(["1.png", "2.png"]).problems() == []
    assert labels_of(["cat/1.png", "dgo/2.png"], "none").problems() == []
