"""The folders of a source: those that wrap all images, and those that may be classes.

Files that are no images are left out of account.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from annotator_site.importing.entries import MAX_ENTRIES, Found, SourceError
from annotator_site.importing.file_names import is_litter

# More folder names than this on one level cannot be classes.
_MAX_FOLDERS: Final = 10_000
_MAX_LEVELS: Final = 16
_NAMES_SHOWN: Final = 5
_PART: Final = re.compile(
    r"(train|training|test|testing|val|valid|validation|dev|eval|evaluation|holdout)"
    r"([ _-]?(set|data|images|split|\d+))?"
)


@dataclass(frozen=True, slots=True)
class Survey:
    """The number of files of a source, and the folders that may be classes.

    `wrappers`: the nested folders around all images (as in an archive of a folder), outermost
    first; `folders`: the folders with images in the last wrapper, or at the top without wrappers.
    """

    files: int
    wrappers: tuple[str, ...]
    folders: frozenset[str]


@dataclass(slots=True)
class _Layout:
    """The folders of the images seen so far: `shared` by all images, and the names per level."""

    shared: list[str] | None = None
    levels: list[set[str]] = field(default_factory=list)

    def is_news(self, folders: list[str]) -> bool:
        """Whether an image in these nested folders would change the layout."""
        if self.shared is None or folders[: len(self.shared)] != self.shared:
            return True
        deepest = folders[:_MAX_LEVELS]
        return len(deepest) > len(self.levels) or any(
            name not in level and len(level) < _MAX_FOLDERS
            for name, level in zip(deepest, self.levels, strict=False)
        )

    def add(self, folders: list[str]) -> None:
        """Add the nested folders of an image."""
        if self.shared is None:
            self.shared = folders
        while folders[: len(self.shared)] != self.shared:
            self.shared = self.shared[:-1]
        for depth, name in enumerate(folders[:_MAX_LEVELS]):
            if depth == len(self.levels):
                self.levels.append(set())
            if len(self.levels[depth]) < _MAX_FOLDERS:
                self.levels[depth].add(name)


def survey(files: Iterable[Found]) -> Survey:
    """Look through all files once. Raises SourceError if there are more than MAX_ENTRIES.

    Reads the beginning of a file only if the layout would change in case the file is an image.
    """
    count = 0
    layout = _Layout()
    for found in files:
        count += 1
        if count > MAX_ENTRIES:
            raise SourceError(
                f"There are more than {MAX_ENTRIES:,} files: import them in several parts."
            )
        if not found.name or is_litter(found.name):
            continue
        folders = found.name.split("/")[:-1]
        if layout.is_news(folders) and found.is_image():
            layout.add(folders)
    wrappers = tuple(layout.shared or ())
    here = layout.levels[len(wrappers)] if len(wrappers) < len(layout.levels) else set()
    return Survey(count, wrappers, frozenset(here))


def hint_at_parts(folders: Iterable[str]) -> str:
    """How to import the parts of a data set, if these folders look like its parts; else ""."""
    parts = sorted(name for name in folders if _PART.fullmatch(name.casefold()))
    if len(parts) < 2:
        return ""
    measured = next((name for name in parts if not _trains(name)), parts[-1])
    trained = next((name for name in parts if _trains(name)), parts[0])
    return (
        f"The folders {_listed(parts)} look like the parts of a data set, and came in together. "
        f"Import each by itself, into its own split: PATH/{trained}, then PATH/{measured} with "
        "--split holdout (unpack an archive first). Images that are in stay in their split: take "
        "a new campaign."
    )


def hint_at_order(seen: Survey) -> str:
    """What it means that a source with these folders is read in its own order, if anything."""
    if len(seen.folders) < 2:
        return ""
    return (
        "A tar is read from its beginning to its end, so its folders come in one after another: "
        "until the import ends, people and models see only those that are in. Let people begin "
        "when it has ended; or stop it (Ctrl+C), unpack the tar and import the folder, whose files "
        "come in mixed."
    )


def not_taken(folders: Iterable[str], unknown: Iterable[str]) -> str:
    """Why folders were not taken for classes; `unknown`: the folders that are no classes."""
    unknown = sorted(unknown)
    verb = "is no class" if len(unknown) == 1 else "are no classes"
    told = (
        "No known labels: the folders were not taken for classes, because "
        f"{_listed(unknown)} {verb} of this campaign."
    )
    if len(unknown) == len(set(folders)):
        return told
    return (
        f"{told} Rename them, or run it again with --known-labels folder, which takes those that "
        "are."
    )


def _trains(part: str) -> bool:
    return part.casefold().startswith("train")


def _listed(names: list[str]) -> str:
    first = ", ".join(f"“{name}”" for name in names[:_NAMES_SHOWN])
    return f"{first} and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else first
