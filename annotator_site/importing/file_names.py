"""Names of files: bytes as text, and text as it is stored, compared and shown.

Pure. Names are text and composed (NFC) everywhere, so that a name typed on one system is the name
that another system stored decomposed.
"""

import re
import unicodedata
from typing import Final

from annotator_site.importing.image_files import BrokenImageError

# Of file managers and storage devices, in whatever case.
_LITTER: Final = frozenset({
    "__macosx", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\ufffd",
    "$recycle.bin", "recycler", "system volume information", "@eadir", "#recycle", "lost+found",
})  # fmt: skip
# What a terminal would obey, a database refuses or a reader be deceived by: control characters,
# bytes that are no text, and marks that turn the direction of writing.
_NOT_SHOWN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
UNREADABLE: Final = "characters that could not be read"


class UnknownEncodingError(ValueError):
    """No encoding in which names of files are written; the message says so."""


class NameDecoder:
    """Reads names that do not say how their characters are stored, and remembers its guesses.

    `encoding`: what a person knows of it. Raises UnknownEncodingError.
    """

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding
        self.guesses: dict[str, tuple[int, str]] = {}
        """How many names, and the first of them, by what they were taken for."""
        try:
            suits = encoding is None or b"a/\\.1".decode(encoding) == "a/\\.1"
        except (LookupError, ValueError) as error:
            raise UnknownEncodingError(_unknown(encoding)) from error
        if not suits:
            raise UnknownEncodingError(_unknown(encoding))

    def decode(self, data: bytes, *, usually: str = "", utf8_is_certain: bool = True) -> str:
        """A name as text.

        `usually`: the encoding of what is no UTF-8 where nobody told one; "": unreadable characters
        are replaced. With `utf8_is_certain` nothing that is UTF-8 counts as a guess.
        """
        if data.isascii():
            return data.decode("ascii")
        if self.encoding:
            return self._told(data, self.encoding)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode(usually or "utf-8", "replace")
            return self._guessed(text, usually or UNREADABLE)
        return text if utf8_is_certain else self._guessed(text, "UTF-8")

    def notes(self) -> list[str]:
        """What was guessed, a sentence for each way in which names were read."""
        return [
            f"{count:,} file names do not say how their characters are stored and were taken for "
            f"{way}, for example “{display_name(example)}”. If that is wrong, name it by "
            "--name-encoding (for example cp866, cp932, latin-1) and import into a new campaign."
            for way, (count, example) in sorted(self.guesses.items())
        ]

    def _told(self, data: bytes, encoding: str) -> str:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            return self._guessed(data.decode(encoding, "replace"), UNREADABLE)

    def _guessed(self, text: str, way: str) -> str:
        count, example = self.guesses.get(way, (0, text))
        self.guesses[way] = count + 1, example
        return text


def clean_name(raw: str) -> str:
    """The name of an archive's entry as a plain relative path.

    Raises BrokenImageError for one that would lead out of the archive's own folder. (Nothing is
    ever written under such a name; an archive that tries deserves no trust.)
    """
    name = display_name(raw).replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise BrokenImageError("an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BrokenImageError("a path that leads out of the archive")
    return "/".join(parts)


def display_name(raw: str) -> str:
    """A file's name as it is stored and shown."""
    return _NOT_SHOWN.sub("\ufffd", unicodedata.normalize("NFC", raw))


def is_litter(name: str) -> bool:
    """Hidden files and what file managers leave behind."""
    return any(part.startswith(".") or part.casefold() in _LITTER for part in name.split("/"))


def _unknown(encoding: str | None) -> str:
    return (
        f"--name-encoding “{display_name(encoding or '')}” is no encoding of file names: write one "
        "as Python calls it, for example cp866, cp932 or latin-1."
    )
