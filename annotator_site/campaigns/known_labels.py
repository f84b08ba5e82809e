"""Labels that are known beforehand: by the folder that an image lies in, or from a CSV."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, Protocol, TextIO

from annotator_site.campaigns.sources import (
    MAX_ENTRIES,
    SourceError,
    clean_name,
    display_name,
    is_litter,
)

# More names than that are no classes, whatever they are.
_MOST_FOLDERS: Final = 10_000
PROBLEMS_KEPT: Final = 1_000
_SEPARATORS: Final = ",;\t"

_Row = tuple[int | None, int]
"""The id of the class that a table gives, None where it gives two, and the line."""


class KnownLabels(Protocol):
    """Where the classes of images come from."""

    def choice_of(self, name: str) -> int | None:
        """The id of the class of the image with this name, or None where it is not known."""

    def problems(self) -> list[str]:
        """What did not fit, a sentence each, once all images were asked for."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the names of a source tell: how many files, and the folders that may be classes.

    `folders` are those at the top; where all files lie in a single one (as in an archive of a
    folder), those in it, and `root` is that one ("" else).
    """

    files: int
    root: str
    folders: frozenset[str]


def survey(names: Iterable[str]) -> Survey:
    """Look through all names once. Raises SourceError where there are too many."""
    files = 0
    top: set[str] = set()
    second: set[str] = set()
    loose = False
    for name in names:
        files += 1
        if files > MAX_ENTRIES:
            raise SourceError(
                f"There are more than {MAX_ENTRIES:,} files: import them in several parts."
            )
        if not name or is_litter(name):
            continue
        first, _, rest = name.partition("/")
        inner, _, deeper = rest.partition("/")
        loose = loose or not rest
        if rest and len(top) < _MOST_FOLDERS:
            top.add(first)
        if deeper and len(second) < _MOST_FOLDERS:
            second.add(inner)
    if len(top) == 1 and not loose and second:
        return Survey(files, next(iter(top)), frozenset(second))
    return Survey(files, "", frozenset(top))


class Classes:
    """The classes of a campaign by name: as it is written, else in whatever case."""

    def __init__(self, choices: Mapping[str, int]) -> None:
        self.exact = dict(choices)
        self.folded: dict[str, int | None] = {}
        for name, choice in choices.items():
            # Two classes that differ in case only must be written exactly.
            self.folded[name.casefold()] = None if name.casefold() in self.folded else choice

    def find(self, name: str) -> int | None:
        """The id of the class, or None."""
        return self.exact.get(name) or self.folded.get(name.casefold())


def known_labels(
    *, how: str | Path | None, choices: Mapping[str, int], seen: Survey
) -> KnownLabels:
    """`how`: "folder", "none", a CSV, or None: folders if every one of them is a class.

    `choices`: ids of the classes by name. Raises SourceError for a CSV that cannot be read.
    """
    classes = Classes(choices)
    if classes.find(seen.root):
        seen = Survey(seen.files, "", frozenset({seen.root}))
    if how is None:
        every_is_class = all(classes.find(folder) for folder in seen.folders)
        how = "folder" if seen.folders and every_is_class else "none"
    if how == "none":
        return CsvLabels({}, [])
    if how == "folder":
        return FolderLabels(classes, depth=1 if seen.root else 0)
    return read_csv(Path(how), classes, seen.root)


class FolderLabels:
    """The class of an image is the name of its folder, in whatever case."""

    def __init__(self, classes: Classes, depth: int) -> None:
        self.classes = classes
        self.depth = depth
        self.unknown: Counter[str] = Counter()

    def choice_of(self, name: str) -> int | None:
        """The class that the folder names."""
        folder = "/".join(name.split("/")[self.depth : -1][:1])
        choice = self.classes.find(folder)
        if choice is None and (folder in self.unknown or len(self.unknown) < PROBLEMS_KEPT):
            self.unknown[folder] += 1
        return choice

    def problems(self) -> list[str]:
        """The folders that are no classes."""
        return [
            f"{f'folder “{folder}” is' if folder else 'the top folder is'} no class of this "
            f"campaign: {count:,} images without a known label"
            for folder, count in sorted(self.unknown.items())
        ]


class CsvLabels:
    """The class of an image stands beside its path in a CSV.

    `rows`: class id and line number by path. Holds the whole CSV, some 200 bytes a row.
    """

    def __init__(self, rows: dict[str, _Row], wrong: list[str], root: str = "") -> None:
        self.rows = rows
        self.wrong = wrong
        self.prefix = f"{root}/" if root else ""

    def choice_of(self, name: str) -> int | None:
        """The class that the CSV gives; paths may leave out the archive's single top folder."""
        path = name.replace("\\", "/")
        row = self.rows.pop(path, None) or self.rows.pop(path.removeprefix(self.prefix), None)
        return row[0] if row else None

    def problems(self) -> list[str]:
        """Wrong rows, and rows whose image was not there."""
        missing = sorted((line, path) for path, (_, line) in self.rows.items())
        return self.wrong + [
            f"line {line}: there is no image “{path}”" for line, path in missing[:PROBLEMS_KEPT]
        ]


def read_csv(path: Path, classes: Classes, root: str = "") -> CsvLabels:
    """Read a table with the columns path and label; wrong rows are kept as sentences.

    Its cells are parted by commas, semicolons or tabs; it is in UTF-8, or in UTF-16 with a byte
    order mark. Raises SourceError where it is not such a table at all.
    """
    rows: dict[str, _Row] = {}
    wrong: list[str] = []
    try:
        with path.open(encoding=_encoding(path), newline="") as file:
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
    return CsvLabels(rows, wrong, root)


def _encoding(path: Path) -> str:
    """What the byte order mark tells, else UTF-8."""
    with path.open("rb") as file:
        mark = file.read(2)
    return "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


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
