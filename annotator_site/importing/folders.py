"""Images in a local folder."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from annotator_site.importing.entries import Entry, Found
from annotator_site.importing.fair_order import in_fair_order
from annotator_site.importing.file_names import NameDecoder, display_name, is_litter
from annotator_site.importing.image_files import BrokenImageError, is_image, read_image


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files below a folder. Links are not followed."""

    root: Path
    decoder: NameDecoder = field(default_factory=NameDecoder)
    as_stored: bool = False
    """Whether `entries` come in the order of their names, rather than mixed."""

    def files(self) -> Iterator[Found]:
        """All files, with names relative to the folder, in the order of these."""
        for name in self._walk():
            yield Found(self._shown(name), partial(self._is_image, name))

    def entries(self) -> Iterator[Entry]:
        """All files, read."""
        for name in self._walk() if self.as_stored else self._mixed():
            shown = self._shown(name)
            if is_litter(shown):
                yield Entry(shown, ignored=True)
            elif problem := self._problem(name):
                yield Entry(shown, problem=problem)
            else:
                yield self._read(name, shown)

    def _mixed(self) -> Iterator[str]:
        # A million strings would take three times the memory of their bytes.
        names = bytearray()

        def placed() -> Iterator[tuple[bytes, int]]:
            for name in self._walk():
                place, raw = len(names), os.fsencode(name)
                names.extend(raw + b"\0")
                yield raw, place

        for place in in_fair_order(placed()):
            yield os.fsdecode(bytes(names[place : names.index(0, place)]))

    def _walk(self) -> Iterator[str]:
        """The names of everything below that is not a folder."""
        waiting = [self._listed("")]
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
            elif self._is_folder(name):
                waiting.append(self._listed(name))
            else:
                yield name

    def _listed(self, folder: str) -> Iterator[str]:
        names = sorted(os.listdir(self.root / folder), reverse=True)  # noqa: PTH208 - less memory
        while names:
            name = names.pop()  # its memory is free for what the caller keeps
            yield f"{folder}/{name}" if folder else name

    def _is_folder(self, name: str) -> bool:
        try:
            return stat.S_ISDIR((self.root / name).lstat().st_mode)
        except OSError:
            return False

    def _problem(self, name: str) -> str:
        """Why something cannot be read as a file; "" if it can."""
        try:
            mode = (self.root / name).lstat().st_mode
        except OSError as error:
            return f"cannot be read ({error.strerror})"
        return "" if stat.S_ISREG(mode) else _not_a_file(stat.S_ISLNK(mode))

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

    def _is_image(self, name: str) -> bool:
        if self._problem(name):
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
