"""Exports are read by the programs that they are for, and say what the database says."""

import hashlib
import io
import json
import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from export_desk import Desk, export, make_desk, rows_of
from PIL import Image as Picture

from al_engine.architectures.torchvision_ops import import_torchvision
from al_engine.pools.models import Image, Label
from annotator_site.exports.image_folder import file_name, folder_names
from annotator_site.exports.label_studio import label_config

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Six images with an answer, four of them with two: a dog against a cat, cats three times."""
    made = make_desk(tmp_path)
    made.answer(0, "cat", 6)
    made.answer(1, "cat", 3)
    made.answer(2, "dog, or =wolf", 1)
    return made


def pixels(data: bytes) -> list[int]:
    return list(np.asarray(Picture.open(io.BytesIO(data)).convert("RGB"), dtype=int).ravel()[:6])


def stored(name: str) -> bytes:
    with default_storage.open(Image.objects.get(name=name).key) as file:
        return bytes(file.read())


def failure(*args: str, format_: str, output: str) -> str:
    with pytest.raises(CommandError) as error:
        export(*args, format_=format_, output=output)
    return str(error.value)


@pytest.mark.parametrize("rows", ["labels", "consensus", "both"])
def test_parquet_has_the_rows_of_the_csv_with_their_types(
    rows: str, desk: Desk, tmp_path: Path
) -> None:
    path = tmp_path / "out.parquet"
    export("--rows", rows, format_="parquet", output=str(path))

    table = pq.read_table(path)

    plain = rows_of(export("--rows", rows))
    assert table.column_names == list(plain[0])
    assert table.schema.field("score").type == "double"
    assert str(table.schema.field("decided_at" if rows != "labels" else "answered_at").type) == (
        "timestamp[us, tz=UTC]"
    )
    for found, told in zip(table.to_pylist(), plain, strict=True):
        for name, value in found.items():
            if name.endswith("_at") and value is not None:
                value = f"{value:%Y-%m-%dT%H:%M:%S.%f}Z"
            assert ("" if value is None else str(value)) == told[name], name
    again = tmp_path / "again.parquet"
    export("--rows", rows, format_="parquet", output=str(again))
    assert again.read_bytes() == path.read_bytes()


def test_both_are_all_answers_each_with_the_consensus_on_its_image(desk: Desk) -> None:
    rows = rows_of(export("--rows", "both"))
    answers = rows_of(export("--rows", "labels"))
    agreed = {row["image"]: row for row in rows_of(export())}
    assert [row["label_id"] for row in rows] == [row["label_id"] for row in answers]
    assert len(agreed) == 4
    for row in rows:
        consensus = agreed.get(row["image"], {})
        assert row["consensus_choice"] == consensus.get("choice", "")
        assert row["confidence"] == consensus.get("confidence", "")


def test_an_image_folder_has_every_file_under_its_class(desk: Desk, tmp_path: Path) -> None:
    import_torchvision()
    from torchvision.datasets import ImageFolder

    folder = tmp_path / "out"
    export(format_="imagefolder", output=str(folder))

    agreed = {row["image"]: row["choice"] for row in rows_of(export())}
    lines = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert {line["image"]: line["choice"] for line in lines} == agreed
    for line in lines:
        assert (folder / line["file_name"]).read_bytes() == stored(line["image"])
    read = ImageFolder(str(folder))
    assert len(read) == 4
    assert set(read.classes) <= {"cat", "dog, or =wolf"}
    assert list(tmp_path.glob(".*")) == []


def test_a_zip_is_the_same_bytes_in_a_file_and_in_a_pipe(desk: Desk, tmp_path: Path) -> None:
    path, pipe = tmp_path / "out.zip", tmp_path / "pipe"
    export(format_="imagefolder", output=str(path))
    read, write = os.pipe()
    with os.fdopen(write, "wb"):
        os.set_inheritable(write, True)
        export(format_="imagefolder", output=f"/dev/fd/{write}")
    with os.fdopen(read, "rb") as file:
        pipe.write_bytes(file.read())

    assert pipe.read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert sum(name.startswith("cat/") for name in archive.namelist()) >= 3


def test_datasets_reads_the_images_and_the_classes(desk: Desk, tmp_path: Path) -> None:
    from datasets import load_dataset

    folder = tmp_path / "out"
    export(format_="huggingface", output=str(folder))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))

    assert read.features["label"].names == ["cat", "dog, or =wolf"]
    agreed = rows_of(export())
    assert [row["name"] for row in read] == [row["image"] for row in agreed]
    for row, told in zip(read, agreed, strict=True):
        assert read.features["label"].int2str(row["label"]) == told["choice"]
        assert row["confidence"] == float(told["confidence"])
        assert list(np.asarray(row["image"].convert("RGB"), dtype=int).ravel()[:6]) == pixels(
            stored(row["name"])
        )


# rdflib's own, inside mlcroissant.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_croissant_describes_the_rows_and_how_they_came_about(desk: Desk, tmp_path: Path) -> None:
    import mlcroissant

    folder = tmp_path / "out"
    export("--rows", "labels", format_="croissant", output=str(folder))

    told: dict[str, Any] = json.loads((folder / "croissant.json").read_text())
    data = (folder / "rows.parquet").read_bytes()
    assert told["distribution"][0]["sha256"] == hashlib.sha256(data).hexdigest()
    assert told["rai:dataCollection"].startswith("3 people gave 10 answers to 6 images")
    assert "entropy" in told["rai:machineAnnotationTools"][0]
    read = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert not read.metadata.ctx.issues.errors
    records = list(read.records("rows"))
    answers = rows_of(export("--rows", "labels"))
    assert [record["rows/label_id"].decode() for record in records] == [
        row["label_id"] for row in answers
    ]


def test_label_studio_gets_a_task_an_image_with_its_answers(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    retracted = Label.objects.order_by("id").last()
    assert retracted is not None
    person = [each.pk for each in desk.annotators].index(retracted.annotator_id)
    desk.undo(person, retracted.client_id)

    export("--rows", "labels", "--images-at", "https://a.example/", format_="label_studio",
           output=str(path))  # fmt: skip

    tasks = json.loads(path.read_text())
    assert len(tasks) == 6
    assert sum(len(task["annotations"]) for task in tasks) == 9
    for task in tasks:
        assert task["data"]["image"] == f"https://a.example/{task['data']['name']}"
        for annotation in task["annotations"]:
            (result,) = annotation["result"]
            assert (result["from_name"], result["to_name"]) == ("choice", "image")
            assert result["value"]["choices"][0] in ("cat", "dog, or =wolf")
            assert annotation["lead_time"] == 0.7
    assert '<Choice value="dog, or =wolf"/>' in label_config(["cat", "dog, or =wolf"])


def test_filters_leave_out_all_other_rows(desk: Desk) -> None:
    agreed = rows_of(export())
    sure = [row for row in agreed if float(row["confidence"]) == 1]
    assert rows_of(export("--least-confidence", "1")) == sure
    answers = rows_of(export("--rows", "labels"))
    cats = [row for row in answers if row["choice"] == "cat"]
    assert rows_of(export("--rows", "labels", "--class", "cat")) == cats
    own = [row for row in answers if row["annotator"] == desk.annotators[1].pseudonym]
    assert rows_of(export("--rows", "labels", "--annotator", own[0]["annotator"])) == own
    by_model = [row for row in answers if row["model_version"] == "7"]
    assert by_model
    assert rows_of(export("--rows", "labels", "--model-version", "7")) == by_model
    later = answers[4]["answered_at"]
    assert rows_of(export("--rows", "labels", "--since", later)) == answers[4:]
    assert rows_of(export("--rows", "labels", "--purpose", "audit")) == []
    images = {row["image"] for row in sure}
    expected = [row for row in answers if row["image"] in images]
    assert rows_of(export("--rows", "labels", "--least-confidence", "0.9")) == expected


def test_images_whose_files_are_gone_are_left_out_by_name(desk: Desk, tmp_path: Path) -> None:
    lost = Image.objects.filter(state="labeled").order_by("id")[0]
    default_storage.delete(lost.key)
    said = io.StringIO()

    call_command("export_labels", "pets", "--format", "imagefolder", "--output",
                 str(tmp_path / "out"), stdout=io.StringIO(), stderr=said)  # fmt: skip

    assert f"1 images are left out, because their files are gone from the storage: {lost.name}" in (
        said.getvalue()
    )
    assert "3 rows" in said.getvalue()


def test_what_cannot_be_exported_is_said_before_anything_is_written(
    desk: Desk, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "file").touch()
    for args, format_, output, words in (
        ((), "imagefolder", str(there), "is there already: name a new folder"),
        (("--rows", "labels"), "imagefolder", "x", "take --rows consensus"),
        (("--rows", "both"), "label_studio", "x", "take --rows consensus or labels"),
        (("--images-at", "x"), "csv", "x", "--images-at is for --format label_studio"),
        (("--since", "yesterday"), "csv", "-", "'yesterday' is no time like"),
        (("--least-confidence", "2"), "csv", "-", "'2' is no number from 0 to 1"),
        ((), "excel", "-", "take csv, jsonl, parquet"),
    ):
        assert words in failure(*args, format_=format_, output=output)
    assert sorted(each.name for each in there.iterdir()) == ["file"]


def test_file_names_are_safe_and_all_different() -> None:
    assert folder_names(["Cat", "cat", "a/b", "..", ""]) == [
        "Cat",
        "cat-2",
        "a_b",
        "class",
        "class-2",
    ]
    assert file_name("../x/y\n.png", "f" * 64, "k/1.png") == f"y_~{'f' * 16}.png"
    assert file_name("….", "0" * 64, "k/1.webp").endswith(f"~{'0' * 16}.webp")
