"""Images in a local folder."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from annotator_site.importing.entries import Entry, Found
from annotator_site.importing.file_names import NameDecoder, display_name, is_litter
from annotator_site.importing.image_files import BrokenImageError, is_image, read_image


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files below a folder, in order of their names. Links are not followed."""

    root: Path
    decoder: NameDecoder = field(default_factory=NameDecoder)

    def files(self) -> Iterator[Found]:
        """All files, with names relative to the folder."""
        for name, problem in self._walk():
            yield Found(self._shown(name), partial(self._is_image, name, problem))

    def entries(self) -> Iterator[Entry]:
        """All files, read."""
        for name, problem in self._walk():
            shown = self._shown(name)
            if is_litter(shown):
                yield Entry(shown, ignored=True)
            elif problem:
                yield Entry(shown, problem=problem)
            else:
                yield self._read(name, shown)

    def _walk(self) -> Iterator[tuple[str, str]]:
        """Name and problem ("" for a file) of everything below that is not a folder."""
        waiting = [self._listed("")]
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                continue
            try:
                mode = (self.root / name).lstat().st_mode
                if stat.S_ISDIR(mode):
                    waiting.append(self._listed(name))
                    continue
                problem = "" if stat.S_ISREG(mode) else _not_a_file(stat.S_ISLNK(mode))
            except OSError as error:
                problem = f"cannot be read ({error.strerror})"
            yield name, problem

    def _listed(self, folder: str) -> Iterator[str]:
        names = sorted(os.listdir(self.root / folder))  # noqa: PTH208 - names alone: less memory
        return (f"{folder}/{name}" if folder else name for name in names)

    def _shown(self, name: str) -> str:
        # The names may have been written in another encoding than this system's.
        return display_name(self.decoder.decode(os.fsencode(name)))

    def _read(self, name: str, shown: str) -> Entry:
        try:
            with os.fdopen(self._opened(name), "rb") as file:
                return Entry(shown, data=read_image(file.read))
        except BrokenImageError as error:
            return Entry(shown, problem=str(error))
        except OSError as error:
            return Entry(shown, problem=f"cannot be read ({error.strerror})")

    def _is_image(self, name: str, problem: str) -> bool:
        if problem:
            return False
        try:
            with os.fdopen(self._opened(name), "rb") as file:
                return is_image(file.read)
        except OSError:
            return False

    def _opened(self, name: str) -> int:
        return os.open(self.root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def _not_a_file(is_link: bool) -> str:
    return "a symbolic link: not followed" if is_link else "not an ordinary file"
