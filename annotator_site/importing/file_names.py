"""File names: decoding their bytes, and the form in which they are stored, compared and shown.

Pure. Names are NFC text everywhere, so that a name typed on one system equals the same name that
another system stored decomposed.
"""

import re
import unicodedata
from typing import Final

from annotator_site.importing.image_files import BrokenImageError

# Left behind by file managers and storage devices; compared without case.
_LITTER: Final = frozenset({
    "__macosx", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\ufffd",
    "$recycle.bin", "recycler", "system volume information", "@eadir", "#recycle", "lost+found",
})  # fmt: skip
# Control characters (a terminal would obey them), surrogates (a database refuses them), and marks
# that change the direction of writing (they deceive a reader).
_NOT_SHOWN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
UNREADABLE: Final = "characters that could not be read"


class UnknownEncodingError(ValueError):
    """The encoding that a person named is unknown, or not one of file names."""


class NameDecoder:
    """Decodes names of unstated encoding and remembers its guesses.

    `encoding`: the encoding, if a person named it. Raises UnknownEncodingError.
    """

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding
        self.guesses: dict[str, tuple[int, str]] = {}
        """By encoding that names were taken for: how many names, and the first of them."""
        try:
            suits = encoding is None or b"a/\\.1".decode(encoding) == "a/\\.1"
        except (LookupError, ValueError) as error:
            raise UnknownEncodingError(_unknown(encoding)) from error
        if not suits:
            raise UnknownEncodingError(_unknown(encoding))

    def decode(self, data: bytes, *, usually: str = "", utf8_is_certain: bool = True) -> str:
        """A name as text.

        `usually`: the encoding of a name that is not UTF-8 if nobody named an encoding; with ""
        unreadable characters are replaced. With `utf8_is_certain` a name that is valid UTF-8 does
        not count as a guess.
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
        """One sentence for each guessed encoding."""
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

    Raises BrokenImageError for a name that would lead out of the archive's folder. (No file is
    ever written under such a name, but an archive that tries deserves no trust.)
    """
    name = display_name(raw).replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise BrokenImageError("an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BrokenImageError("a path that leads out of the archive")
    return "/".join(parts)


def display_name(raw: str) -> str:
    """A file's name as it is stored and shown: NFC, with unsafe characters replaced."""
    return _NOT_SHOWN.sub("\ufffd", unicodedata.normalize("NFC", raw))


def is_litter(name: str) -> bool:
    """Whether a file is hidden, or left behind by a file manager."""
    return any(part.startswith(".") or part.casefold() in _LITTER for part in name.split("/"))


def _unknown(encoding: str | None) -> str:
    return (
        f"--name-encoding “{display_name(encoding or '')}” is no encoding of file names: write one "
        "as Python calls it, for example cp866, cp932 or latin-1."
    )
