"""Exports have the promised columns, one snapshot, the same bytes for the same state."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from export_desk import Desk, export, make_desk, rows_of

from al_engine.pools.models import Image, Label
from annotator_site.exports.rows import reading_rows

ROOT = Path(__file__).resolve().parents[2]
EXPORT = [sys.executable, "manage.py", "export_labels", "pets"]
PROVENANCE = "purpose,worker,strategy,score,model_version,staleness,query_age_s"
LABELS = "label_id,image,sha256,choice,annotator,answered_at,shown_ms,retracted_at," + PROVENANCE
CONSENSUS = "image,sha256,choice,confidence,answers,decided_at," + PROVENANCE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


def test_raw_answers_have_every_column_and_value(desk: Desk) -> None:
    labels = desk.answer(0, "dog, or =wolf", 6)
    desk.undo(0, labels[3].client_id)

    text = export("--rows", "labels")

    assert text.splitlines()[0] == LABELS
    assert text.count("\r\n") == 7
    rows = rows_of(text)
    assert [row["label_id"] for row in rows] == [str(label.client_id) for label in labels]
    for row, label in zip(rows, labels, strict=True):
        assert row["image"] == label.image.name
        assert row["sha256"] == label.image.sha256
        assert row["choice"] == "dog, or =wolf"
        assert row["annotator"] == desk.annotators[0].pseudonym
        assert row["answered_at"] == f"{label.answered_at:%Y-%m-%dT%H:%M:%S.%f}Z"
        assert row["shown_ms"] == str(label.shown_ms)
        assert (row["purpose"], row["worker"], row["strategy"]) == ("active", "worker-1", "entropy")
        by_model = label.query.model_version_id is not None
        assert row["score"] == ("0.30000000000000004" if by_model else "")
        assert row["model_version"] == ("7" if by_model else "")
        assert row["staleness"] == ("" if label.staleness is None else str(label.staleness))
        age = (label.answered_at - label.query.created_at).total_seconds()
        assert float(row["query_age_s"]) == pytest.approx(age, abs=1e-6)
    assert [bool(row["retracted_at"]) for row in rows] == [place == 3 for place in range(6)]


def test_consensus_has_one_row_an_image_with_the_last_answers_provenance(desk: Desk) -> None:
    first = desk.answer(0, "cat", 6)
    second = desk.answer(1, "cat", 2)
    desk.answer(2, "dog, or =wolf", 1)

    text = export()

    assert text.splitlines()[0] == CONSENSUS
    rows = rows_of(text)
    decided = list(Image.objects.filter(state="labeled").order_by("id"))
    assert [row["image"] for row in rows] == [image.name for image in decided]
    assert len(rows) == 3
    by_image = {label.image.name: label for label in second}
    for row in rows:
        if row["image"] in by_image:
            last = by_image[row["image"]]
            assert (row["choice"], row["confidence"], row["answers"]) == ("cat", "1.0", "2")
            age = (last.answered_at - last.query.created_at).total_seconds()
            assert float(row["query_age_s"]) == pytest.approx(age, abs=1e-6)
        else:
            assert (row["choice"], row["confidence"]) == ("cat", "0.5")

    # Undone, an image has no consensus.
    desk.undo(1, second[0].client_id)
    assert len(rows_of(export())) == 2
    assert len(first) == 6


def test_json_lines_have_the_same_values_with_their_types(desk: Desk) -> None:
    desk.answer(0, "cat", 6)

    text = export("--rows", "labels", format_="jsonl")

    rows: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert [",".join(row) for row in rows] == [LABELS] * 6
    assert {row["score"] for row in rows} == {0.1 + 0.2, None}
    assert {row["retracted_at"] for row in rows} == {None}
    assert "ünï" in text
    plain = rows_of(export("--rows", "labels"))
    for row, other in zip(rows, plain, strict=True):
        assert {key: "" if value is None else str(value) for key, value in row.items()} == other


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
@pytest.mark.parametrize("rows", ["labels", "consensus"])
def test_the_same_state_is_the_same_bytes_wherever_it_goes(
    format_: str, rows: str, desk: Desk, tmp_path: Path, test_environment: dict[str, str]
) -> None:
    desk.answer(0, "cat", 6)
    desk.answer(1, "cat", 4)
    path = tmp_path / "out"

    export("--rows", rows, format_=format_, output=str(path))
    program = subprocess.run(
        [*EXPORT, "--format", format_, "--output", "-", "--rows", rows],
        cwd=ROOT, env=test_environment, check=True, capture_output=True,
    )  # fmt: skip

    assert path.read_bytes() == program.stdout
    assert path.read_bytes() == export("--rows", rows, format_=format_).encode()
    assert list(tmp_path.glob(".*")) == []


def test_what_comes_in_during_an_export_is_not_in_it(desk: Desk) -> None:
    desk.answer(0, "cat", 3)

    with reading_rows(campaign_id=desk.campaign.pk, rows="labels") as rows:
        first = next(rows)
        desk.answer(1, "cat", 3)
        assert len([first, *rows]) == 3

    assert Label.objects.count() == 6


def test_rows_are_read_from_a_cursor_of_the_server(desk: Desk) -> None:
    desk.answer(0, "cat", 3)

    with (
        reading_rows(campaign_id=desk.campaign.pk, rows="labels") as rows,
        connection.cursor() as cursor,
    ):
        next(rows)
        cursor.execute("SELECT count(*) FROM pg_cursors")
        assert cursor.fetchone() == (1,)


def test_an_empty_campaign_exports_the_header_alone(desk: Desk) -> None:
    assert export() == CONSENSUS + "\r\n"
    assert export(format_="jsonl") == ""


def test_json_tells_what_was_written(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    desk.answer(0, "cat", 2)

    told = export("--rows", "labels", "--json", output=str(path))

    assert json.loads(told) == {"rows": 2, "output": str(path), "format": "csv"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pets", "--format", "excel", "--output", "x"], "not supported: take csv, jsonl"),
        (["dogs", "--format", "csv", "--output", "x"], "no campaign “dogs”. Campaigns: pets"),
        (["pets", "--format", "csv", "--output", "/nowhere/x"], "cannot be written"),
        (["pets", "--format", "csv", "--output", "/"], "is a folder: name a file"),
        (["pets", "--format", "csv", "--output", "-", "--json"], "--json needs a file"),
        (["pets", "--format", "csv", "--output", "/dev/null", "--json"], "--json needs a file"),
        (["pets", "--format", "csv", "--output", "/dev/full"], "No space left on device"),
        (
            ["pets", "--format", "jsonl", "--for-spreadsheets", "--output", "-"],
            "--for-spreadsheets is for --format csv",
        ),
    ],
)
def test_bad_input_is_told_in_a_line(desk: Desk, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message) as caught:
        call_command("export_labels", *arguments, stderr=io.StringIO())

    assert "\n" not in str(caught.value)


def test_an_export_that_fails_leaves_the_old_file_whole(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("what was there before")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE pools_label RENAME TO pools_label_away")
    try:
        with pytest.raises(Exception, match="pools_label"):
            export("--rows", "labels", output=str(path))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE pools_label_away RENAME TO pools_label")

    assert path.read_text() == "what was there before"
    assert list(tmp_path.glob(".*")) == []


def test_a_reader_that_goes_away_is_no_error(desk: Desk, test_environment: dict[str, str]) -> None:
    desk.answer(0, "cat", 6)
    read, write = os.pipe()
    os.close(read)
    program = subprocess.run(
        [*EXPORT, "--format", "csv", "--output", "-"],
        cwd=ROOT, env=test_environment, stdout=write, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(write)

    assert (program.returncode, program.stderr) == (0, b"")
