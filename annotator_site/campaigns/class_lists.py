"""Lists of classes, typed in the shell or kept in a file, both read as CSV."""

import csv
import io
from pathlib import Path
from typing import Final

from al_engine.pools.class_names import shown
from annotator_site.importing.text_files import encoding_of

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
_QUOTING: Final = (
    "put a name with a comma or with quotes into double quotes, and double the quotes in it: "
    '"fox, red"'
)


class ClassListError(ValueError):
    """A list of classes that cannot be read; the message says why and what to do."""


def read_option(text: str) -> list[str]:
    """The names in `cat,dog,"fox, red"`. Raises ClassListError."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise ClassListError(f"--classes cannot be read ({error}): {_QUOTING}.") from error
    if len(rows) > 1:
        raise ClassListError("--classes holds a line break: give a list by --classes-file.")
    return [_trimmed(name) for row in rows for name in row]


def read_file(path: Path) -> list[str]:
    """The names in a file with one name a line. Raises ClassListError."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True, skipinitialspace=True)
    names = []
    try:
        for row in reader:
            if len(row) > 1:
                raise ClassListError(
                    f"--classes-file {path}, line {reader.line_num}, has {len(row)} names, the "
                    f"first is “{shown(row[0])}”: write one a line, and {_QUOTING}."
                )
            names += [_trimmed(name) for name in row]
    except csv.Error as error:
        raise ClassListError(
            f"--classes-file {path}, line {reader.line_num}, cannot be read ({error}): {_QUOTING}."
        ) from error
    return names


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ClassListError(
                f"--classes-file {path} is larger than {MAX_FILE_BYTES // 1024**2} MiB: it should "
                "hold names of classes, one a line."
            )
        return data.decode(encoding_of(data))
    except OSError as error:
        raise ClassListError(
            f"--classes-file {path} cannot be read ({error.strerror}): give a file with one class "
            "a line."
        ) from error
    except UnicodeDecodeError as error:
        raise ClassListError(
            f"--classes-file {path} is not text in UTF-8 ({error.reason} at byte {error.start}): "
            "save it as UTF-8."
        ) from error


def _trimmed(name: str) -> str:
    """A name without the spaces and tabs around it, which belong to the list."""
    return name.strip(" \t")
