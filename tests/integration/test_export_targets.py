"""Every command that exports, run as people run it: into streams, with failures, in any locale."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest
from engine.roles import publish_model
from export_desk import Desk, export, make_desk, rows_of

from al_engine.pools import versions
from annotator_site.exports.comma_separated import for_spreadsheets, write_csv
from annotator_site.exports.rows import Value

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"{sys.executable} manage.py"
EXPORTS = {
    "csv": f"{PYTHON} export_labels pets --format csv --rows labels",
    "jsonl": f"{PYTHON} export_labels pets --format jsonl --rows labels",
    "model": f"{PYTHON} export_model pets",
}
LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path)


@pytest.fixture
def right(desk: Desk) -> dict[str, bytes]:
    """What each export is to write."""
    desk.answer(0, "cat", 3)
    model = publish_model(desk.campaign, seed=1)
    labels = {each: export("--rows", "labels", format_=each).encode() for each in ("csv", "jsonl")}
    return {**labels, "model": versions.read_weights(model)}


def shell(
    line: str, environment: dict[str, str], **own: str
) -> "subprocess.CompletedProcess[bytes]":
    """A command line, in the folder of the program."""
    return subprocess.run(
        ["/bin/bash", "-c", f"set -o pipefail; {line}"],
        cwd=ROOT, env={**environment, **own}, capture_output=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("what", EXPORTS)
def test_streams_get_the_bytes_of_a_file_in_any_locale(
    what: str, right: dict[str, bytes], test_environment: dict[str, str]
) -> None:
    for target, locale in (("-", "C"), ("/dev/stdout", "latin-1")):
        done = shell(
            f"{EXPORTS[what]} --output {target} | cat", test_environment, **LOCALES[locale]
        )

        assert done.returncode == 0, (locale, target, done.stderr)
        assert done.stdout == right[what], (locale, target)


@pytest.mark.parametrize("what", ["csv", "model"])
@pytest.mark.parametrize(
    ("target", "reason"),
    [("- > /dev/full", b"No space left on device"), ("/dev/stdout >&-", b"Bad file descriptor")],
)
def test_a_failure_is_a_line(
    what: str, target: str, reason: bytes, right: dict[str, bytes], test_environment: dict[str, str]
) -> None:
    done = shell(f"{EXPORTS[what]} --output {target}", test_environment)

    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1, done.stderr
    assert reason in done.stderr


CELLS: list[tuple[Value, str]] = [
    *((f"{sign}1+1", f"'{sign}1+1") for sign in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"),
    ("a=1", "a=1"),
    ("", ""),
    (None, ""),
    (-0.5, "-0.5"),
    (-7, "-7"),
    ("ünï, “cat”", "ünï, “cat”"),
]


def test_a_spreadsheet_runs_no_cell_and_reads_numbers_as_numbers() -> None:
    out = io.StringIO()
    rows = [("first", value) for value, _ in CELLS]

    write_csv(out, ["a", "b"], for_spreadsheets(out, rows))

    assert out.getvalue().startswith("\ufeffa,b\r\n")
    read = list(csv.reader(io.StringIO(out.getvalue(), newline="")))[1:]
    assert [cell for _, cell in read] == [cell for _, cell in CELLS]


def test_for_spreadsheets_changes_marked_cells_alone(desk: Desk, tmp_path: Path) -> None:
    desk.campaign.choices.filter(name="cat").update(name="=cat")
    desk.answer(0, "=cat", 3)
    path = tmp_path / "out.csv"

    export("--for-spreadsheets", "--rows", "labels", output=str(path))

    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbflabel_id,")
    marked, plain = rows_of(data.decode("utf-8-sig")), rows_of(export("--rows", "labels"))
    assert [row.pop("choice") for row in marked] == ["'=cat"] * 3
    assert [row.pop("choice") for row in plain] == ["=cat"] * 3
    assert marked == plain
