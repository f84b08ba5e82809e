"""Labels that are known beforehand: by the folder that an image lies in, or from a CSV."""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, Protocol, TextIO

from al_engine.pools.class_names import as_compared
from annotator_site.importing.entries import SourceError
from annotator_site.importing.file_names import clean_name, display_name
from annotator_site.importing.layout import Survey, hint_at_parts, not_taken
from annotator_site.importing.text_files import open_text

PROBLEMS_KEPT: Final = 1_000
_SEPARATORS: Final = ",;\t"

_Row = tuple[int | None, int]
"""The id of the class that a table gives, None where it gives two, and the line."""


class KnownLabels(Protocol):
    """Where the classes of images come from."""

    def choice_of(self, name: str) -> int | None:
        """The id of the class of the image with this name, or None where it is not known."""

    def pass_over(self, name: str) -> None:
        """There is a file of this name, and it is no image that can be used."""

    def problems(self) -> list[str]:
        """What did not fit, a sentence each, once all images were asked for."""


class Classes:
    """The classes of a campaign by name: as people see it, else in whatever case."""

    def __init__(self, choices: Mapping[str, int]) -> None:
        # Two classes that are the same to people are named by neither.
        self.exact: dict[str, int | None] = {}
        self.folded: dict[str, int | None] = {}
        for name, choice in choices.items():
            for key, known in ((as_compared(name), self.exact), (_folded(name), self.folded)):
                known[key] = None if key in known else choice

    def find(self, name: str) -> int | None:
        """The id of the class, or None. Two that differ in case only must be written exactly."""
        return self.exact.get(as_compared(name)) or self.folded.get(_folded(name))


def known_labels(
    *, how: str | Path | None, choices: Mapping[str, int], seen: Survey
) -> KnownLabels:
    """`how`: "folder", "none", a CSV, or None: folders if every one of them is a class.

    `choices`: ids of the classes by name. Raises SourceError for a CSV that cannot be read.
    """
    classes = Classes(choices)
    if how == "none":
        return NoLabels("")
    if how is not None and how != "folder":
        return read_csv(Path(how), classes, seen.wrappers)
    depth, folders = _class_folders(seen, classes)
    unknown = {folder for folder in folders if not classes.find(folder)}
    hint = hint_at_parts(unknown)
    if how is None and not folders:
        return NoLabels("")
    if how is None and unknown:
        return NoLabels(hint or not_taken(folders, unknown))
    return FolderLabels(classes, depth, hint)


def _class_folders(seen: Survey, classes: Classes) -> tuple[int, frozenset[str]]:
    """The folders that classes may be named by, and how many others they lie in."""
    wrappers, folders = seen.wrappers, seen.folders
    if not folders or not all(classes.find(folder) for folder in folders):
        for depth, name in enumerate(wrappers):
            # All images are of one class.
            if classes.find(name):
                return depth, frozenset({name})
    if wrappers and not folders:
        return len(wrappers) - 1, frozenset(wrappers[-1:])
    return len(wrappers), folders


def _folded(name: str) -> str:
    return as_compared(as_compared(name).casefold())


class NoLabels:
    """No label is known; `told` says why, if there is something to say."""

    def __init__(self, told: str) -> None:
        self.told = told

    def choice_of(self, name: str) -> int | None:
        """None."""
        return None

    def pass_over(self, name: str) -> None:
        """Nothing was known of it."""

    def problems(self) -> list[str]:
        """Why folders were not taken for classes."""
        return [self.told] if self.told else []


class FolderLabels:
    """The class of an image is the name of its folder, in whatever case."""

    def __init__(self, classes: Classes, depth: int, hint: str = "") -> None:
        self.classes = classes
        self.depth = depth
        self.hint = hint
        self.unknown: Counter[str] = Counter()

    def choice_of(self, name: str) -> int | None:
        """The class that the folder names."""
        folder = "/".join(name.split("/")[self.depth : -1][:1])
        choice = self.classes.find(folder)
        if choice is None and (folder in self.unknown or len(self.unknown) < PROBLEMS_KEPT):
            self.unknown[folder] += 1
        return choice

    def pass_over(self, name: str) -> None:
        """What is no image decides nothing, not even that its folder is no class."""

    def problems(self) -> list[str]:
        """The folders that are no classes."""
        hints = [self.hint] if self.hint else []
        return hints + [
            f"{f'folder “{folder}” is' if folder else 'the top folder is'} no class of this "
            f"campaign: {count:,} images without a known label"
            for folder, count in sorted(self.unknown.items())
        ]


class CsvLabels:
    """The class of an image stands beside its path in a CSV.

    `rows`: class id and line number by path. Holds the whole CSV, some 200 bytes a row.
    """

    def __init__(
        self, rows: dict[str, _Row], wrong: list[str], wrappers: Sequence[str] = ()
    ) -> None:
        self.rows = rows
        self.wrong = wrong
        self.prefixes = ["/".join([*wrappers[:depth], ""]) for depth in range(len(wrappers) + 1)]

    def choice_of(self, name: str) -> int | None:
        """The class that the CSV gives; paths may leave out folders that all images lie in."""
        path = name.replace("\\", "/")
        for prefix in self.prefixes:
            if path.startswith(prefix) and (row := self.rows.pop(path.removeprefix(prefix), None)):
                return row[0]
        return None

    def pass_over(self, name: str) -> None:
        """Its row is no mistake of the CSV."""
        self.choice_of(name)

    def problems(self) -> list[str]:
        """Wrong rows, and rows whose image was not there."""
        missing = sorted((line, path) for path, (_, line) in self.rows.items())
        return self.wrong + [
            f"line {line}: there is no image “{path}”" for line, path in missing[:PROBLEMS_KEPT]
        ]


def read_csv(path: Path, classes: Classes, wrappers: Sequence[str] = ()) -> CsvLabels:
    """Read a table with the columns path and label; wrong rows are kept as sentences.

    Its cells are parted by commas, semicolons or tabs; it is in UTF-8, or in UTF-16 with a byte
    order mark. Raises SourceError where it is not such a table at all.
    """
    rows: dict[str, _Row] = {}
    wrong: list[str] = []
    try:
        with open_text(path, newline="") as file:
            reader, skipped = _reader(file, path)
            for row in reader:
                line = reader.line_num + skipped
                problem = _take(row, line, rows, classes)
                if problem and len(wrong) < PROBLEMS_KEPT:
                    wrong.append(f"line {line}: {problem}")
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}).") from error
    except (UnicodeError, csv.Error) as error:
        raise SourceError(
            f"{path} is not a CSV in UTF-8 ({error}): save it as CSV UTF-8, or as Unicode text."
        ) from error
    return CsvLabels(rows, wrong, wrappers)


def _reader(file: TextIO, path: Path) -> tuple["csv.DictReader[str]", int]:
    """The rows below the header, and how many lines were skipped above it."""
    first, skipped = file.readline(), 0
    # Spreadsheets write, and want to read, a line like this where the separator is unusual.
    said = re.fullmatch(r"sep=(.)\s*", first)
    if said:
        first, skipped = file.readline(), 1
    for separator in said[1] if said else _SEPARATORS:
        reader = csv.DictReader(chain([first], file), delimiter=separator)
        header = [(name or "").strip().lower() for name in reader.fieldnames or []]
        if {"path", "label"} <= set(header):
            reader.fieldnames = header
            return reader, skipped
    raise SourceError(f"{path} needs a first line with the columns path,label.")


def _take(
    row: Mapping[str, str | None],
    line: int,
    rows: dict[str, _Row],
    classes: Classes,
) -> str:
    """Take a row over, or say what is wrong with it."""
    label = (row.get("label") or "").strip()
    choice = classes.find(label)
    if choice is None:
        return f"“{display_name(label)}” is no class of this campaign"
    try:
        name = clean_name((row.get("path") or "").strip())
    except ValueError as error:
        return f"“{display_name(row.get('path') or '')}” is {error}"
    if not name:
        return "the path is empty"
    if name in rows:
        before = rows[name]
        if before[0] == choice:
            return f"“{name}” stood on line {before[1]} already"
        # Neither counts: which one is right, nobody has said.
        rows[name] = (None, before[1])
        return (
            f"“{name}” is “{display_name(label)}” here and another class on line {before[1]}: "
            "neither counts until one of the lines is taken out"
        )
    rows[name] = (choice, line)
    return ""
