"""Labels known beforehand: from the folder that holds an image, or from a CSV."""

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
"""The id of the class that a CSV gives (None if it gives two), and the line number."""


class KnownLabels(Protocol):
    """A source of known labels."""

    def choice_of(self, name: str) -> int | None:
        """The id of the class of the image with this name, or None if not known."""

    def pass_over(self, name: str) -> None:
        """Note that the file of this name is there, but not usable."""

    def problems(self) -> list[str]:
        """One sentence for each label that did not fit; call it after all images."""


class Classes:
    """The classes of a campaign by name: the exact name as people see it, else without case."""

    def __init__(self, choices: Mapping[str, int]) -> None:
        # A name that fits two classes finds neither.
        self.exact: dict[str, int | None] = {}
        self.folded: dict[str, int | None] = {}
        for name, choice in choices.items():
            for key, known in ((as_compared(name), self.exact), (_folded(name), self.folded)):
                known[key] = None if key in known else choice

    def find(self, name: str) -> int | None:
        """The id of the class, or None. Names that differ only in case must match exactly."""
        return self.exact.get(as_compared(name)) or self.folded.get(_folded(name))


def known_labels(
    *, how: str | Path | None, choices: Mapping[str, int], seen: Survey
) -> KnownLabels:
    """The source of known labels that a person asked for.

    `how`: "folder", "none", the path of a CSV, or None for folders if every folder is a class.
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
    """The depth of the folders that may name classes, and the names of those folders."""
    wrappers, folders = seen.wrappers, seen.folders
    if not folders or not all(classes.find(folder) for folder in folders):
        for depth, name in enumerate(wrappers):
            # A folder around all images is a class: all images belong to it.
            if classes.find(name):
                return depth, frozenset({name})
    if wrappers and not folders:
        return len(wrappers) - 1, frozenset(wrappers[-1:])
    return len(wrappers), folders


def _folded(name: str) -> str:
    return as_compared(as_compared(name).casefold())


class NoLabels:
    """No label is known; `told` is the reason for a person, or ""."""

    def __init__(self, told: str) -> None:
        self.told = told

    def choice_of(self, name: str) -> int | None:
        """None."""
        return None

    def pass_over(self, name: str) -> None:
        """Do nothing: no file has a known label."""

    def problems(self) -> list[str]:
        """The reason why folders were not taken for classes, if there is one."""
        return [self.told] if self.told else []


class FolderLabels:
    """The folder of an image names its class, in any case.

    `depth`: how many folders lie around the folder that names the class.
    """

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
        """Do nothing: a file that is no image does not make its folder a class or a problem."""

    def problems(self) -> list[str]:
        """One sentence for each folder that is no class."""
        hints = [self.hint] if self.hint else []
        return hints + [
            f"{f'folder “{folder}” is' if folder else 'the top folder is'} no class of this "
            f"campaign: {count:,} images without a known label"
            for folder, count in sorted(self.unknown.items())
        ]


class CsvLabels:
    """A CSV gives the class of an image by its path.

    `rows`: class id and line number by path. Keeps the whole CSV in memory, about 200 bytes a row.
    """

    def __init__(
        self, rows: dict[str, _Row], wrong: list[str], wrappers: Sequence[str] = ()
    ) -> None:
        self.rows = rows
        self.wrong = wrong
        self.prefixes = ["/".join([*wrappers[:depth], ""]) for depth in range(len(wrappers) + 1)]

    def choice_of(self, name: str) -> int | None:
        """The class that the CSV gives; its paths may omit the folders around all images."""
        path = name.replace("\\", "/")
        for prefix in self.prefixes:
            if path.startswith(prefix) and (row := self.rows.pop(path.removeprefix(prefix), None)):
                return row[0]
        return None

    def pass_over(self, name: str) -> None:
        """Drop the file's row, so that it is not reported as missing."""
        self.choice_of(name)

    def problems(self) -> list[str]:
        """One sentence for each wrong row and each row without an image."""
        missing = sorted((line, path) for path, (_, line) in self.rows.items())
        return self.wrong + [
            f"line {line}: there is no image “{path}”" for line, path in missing[:PROBLEMS_KEPT]
        ]


def read_csv(path: Path, classes: Classes, wrappers: Sequence[str] = ()) -> CsvLabels:
    """Read a table with the columns path and label; wrong rows become sentences.

    Cells are separated by commas, semicolons or tabs; the encoding is UTF-8, or UTF-16 with a
    byte order mark. Raises SourceError if the file is not such a table.
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
    # Spreadsheets write and expect a line like this where the separator is unusual.
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
    """Add a row to `rows`; returns what is wrong with it, or ""."""
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
        # The two lines contradict each other, so neither counts.
        rows[name] = (None, before[1])
        return (
            f"“{name}” is “{display_name(label)}” here and another class on line {before[1]}: "
            "neither counts until one of the lines is taken out"
        )
    rows[name] = (choice, line)
    return ""
