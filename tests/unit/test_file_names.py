"""Names of files are text, whatever system and program stored them, and are compared as such."""

import codecs
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import picture

from annotator_site.importing.entries import Source, SourceError
from annotator_site.importing.file_names import NameDecoder, display_name
from annotator_site.importing.known_labels import known_labels
from annotator_site.importing.layout import survey
from annotator_site.importing.sources import open_source

NAMES = [
    "Äpfel", "über", "straße", "café", "ñandú", "Ångström", "Żółw", "İstanbul", "Việt", "Кошка",
    "Ёлка", "Їжак", "Ελλάδα", "猫", "ネコ", "ガラス", "한국어", "ไทย", "हिन्दी", "বাংলা", "עברית",
    "قطة", "ქართული", "🐈", "👩‍🔬", "❤️", "a’b", "5″", "cat",
]  # fmt: skip
PLACE = "images/{}/1.png"
Form = Literal["NFC", "NFD"]
DOS, UNIX, NTFS, MACOS = 0, 3, 10, 19
UTF8_FLAG = 0x800


@dataclass(frozen=True)
class Stored:
    """How an archive's entry has its name."""

    raw: bytes
    flags: int = 0
    system: int = UNIX
    extra: bytes = b""


class RawInfo(zipfile.ZipInfo):
    """An entry whose name is written as it is told, not as Python would."""

    stored: Stored

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - as zipfile calls it
        return self.stored.raw, self.stored.flags


def write_raw_zip(path: Path, entries: list[Stored]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, stored in enumerate(entries):
            info = RawInfo(f"{number}")
            info.stored, info.create_system, info.extra = stored, stored.system, stored.extra
            archive.writestr(info, picture(shade=number + 1))
    return path


def unicode_path(raw: bytes, name: str) -> bytes:
    """The extra field of Info-ZIP that carries a name in UTF-8."""
    data = struct.pack("<BL", 1, zlib.crc32(raw)) + name.encode()
    return struct.pack("<HH", 0x7075, len(data)) + data


def decomposed(name: str) -> str:
    return unicodedata.normalize("NFD", name)


def info_zip(name: str) -> Stored:
    raw = name.encode("ascii", "replace").replace(b"?", b"_")
    stamp = struct.pack("<HHBl", 0x5455, 5, 1, 0)
    return Stored(raw, extra=stamp + unicode_path(raw, name))


WRITERS: dict[str, Callable[[str], Stored]] = {
    "zip -r on Linux": lambda name: Stored(name.encode()),
    "zip -r with the field": info_zip,
    "the field on Windows": lambda name: Stored(
        b"?", 0, NTFS, unicode_path(b"?", name.replace("/", "\\"))
    ),
    "Finder": lambda name: Stored(decomposed(name).encode()),
    "ditto": lambda name: Stored(decomposed(name).encode(), 0, MACOS),
    "bit 11": lambda name: Stored(name.encode(), UTF8_FLAG, DOS),
    "bit 11, decomposed": lambda name: Stored(decomposed(name).encode(), UTF8_FLAG, NTFS),
    "UTF-8 that does not say so": lambda name: Stored(name.encode(), 0, NTFS),
    "UTF-8 with a stale field": lambda name: Stored(
        name.encode(), UTF8_FLAG, UNIX, unicode_path(b"other", "images/wrong/1.png")
    ),
}


def labels_of(source: Source) -> list[str | None]:
    """The class of each image as they come, where folders are classes by the names of NAMES."""
    choices = {name: number for number, name in enumerate(NAMES, 1)}
    labels = known_labels(how=None, choices=choices, seen=survey(source.files()))
    found = [labels.choice_of(entry.name) for entry in source.entries() if entry.data]
    return [NAMES[number - 1] if number else None for number in found]


@pytest.mark.parametrize("writer", WRITERS)
def test_class_folders_are_found_whoever_wrote_the_zip(writer: str, tmp_path: Path) -> None:
    entries = [WRITERS[writer](PLACE.format(name)) for name in NAMES]
    source = open_source(write_raw_zip(tmp_path / "images.zip", entries))

    assert sorted(map(str, labels_of(source))) == sorted(NAMES)
    shown = {entry.name for entry in source.entries()}
    assert shown == {PLACE.format(unicodedata.normalize("NFC", name)) for name in NAMES}
    assert bool(source.decoder.guesses) == (writer == "UTF-8 that does not say so")


@pytest.mark.parametrize(
    "encoding",
    ["cp850", "cp852", "cp866", "cp932", "cp936", "cp949", "koi8-r", "latin-1", "cp1251", "cp1253"],
)
@pytest.mark.parametrize("system", [DOS, NTFS, UNIX])
def test_an_old_encoding_can_be_told(encoding: str, system: int, tmp_path: Path) -> None:
    suits = [name for name in NAMES if can_be(name, encoding)]
    assert len(suits) > 1
    entries = [Stored(PLACE.format(name).encode(encoding), 0, system) for name in suits]
    path = write_raw_zip(tmp_path / "images.zip", entries)

    told = open_source(path, name_encoding=encoding)
    assert sorted(map(str, labels_of(told))) == sorted(suits)
    assert not told.decoder.guesses

    guessed = open_source(path)
    labels_of(guessed)
    (note, *_) = guessed.decoder.notes()
    assert "--name-encoding" in note


def test_what_says_nothing_is_read_as_the_format_has_it_and_that_is_told(tmp_path: Path) -> None:
    raw = "images/über/1.png".encode("cp437")
    source = open_source(write_raw_zip(tmp_path / "images.zip", [Stored(raw, 0, DOS)]))

    assert [labels_of(source), len(source.decoder.guesses)] == [["über"], 1]
    assert "taken for cp437, for example “images/über/1.png”." in source.decoder.notes()[0]


def can_be(name: str, encoding: str) -> bool:
    try:
        return name.encode(encoding).decode(encoding) == name
    except UnicodeEncodeError:
        return False


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("kind", ["folder", "ustar", "gnu", "pax"])
def test_folders_and_tars_are_read_alike(kind: str, form: Form, tmp_path: Path) -> None:
    names = [PLACE.format(unicodedata.normalize(form, name)) for name in NAMES]
    path = tmp_path / "source"
    if kind == "folder":
        for number, name in enumerate(names):
            (path / name).parent.mkdir(parents=True)
            (path / name).write_bytes(picture(shade=number + 1))
    else:
        formats = {
            "ustar": tarfile.USTAR_FORMAT,
            "gnu": tarfile.GNU_FORMAT,
            "pax": tarfile.PAX_FORMAT,
        }
        with tarfile.open(path, "w", format=formats[kind], encoding="utf-8") as archive:
            for number, name in enumerate(names):
                data = picture(shade=number + 1)
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, BytesIO(data))

    source = open_source(path)
    assert sorted(map(str, labels_of(source))) == sorted(NAMES)
    assert not source.decoder.guesses


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_bytes_that_are_no_utf_8_are_read_as_told_and_else_noted(kind: str, tmp_path: Path) -> None:
    raw = "images/Кошка/1.png".encode("koi8-r")
    path = tmp_path / "source"
    if kind == "folder":
        folder = str(path).encode() + b"/" + raw.rpartition(b"/")[0]
        Path(folder.decode("utf-8", "surrogateescape")).mkdir(parents=True)
        Path((folder + b"/1.png").decode("utf-8", "surrogateescape")).write_bytes(picture())
    else:
        with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="koi8-r") as archive:
            member = tarfile.TarInfo(raw.decode("koi8-r"))
            member.size = len(picture())
            archive.addfile(member, BytesIO(picture()))

    assert labels_of(open_source(path, name_encoding="koi8-r")) == ["Кошка"]
    silent = open_source(path)
    assert labels_of(silent) == [None]
    assert "could not be read" in silent.decoder.notes()[0]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_a_csv_and_the_files_need_not_be_stored_alike(
    form: Form, other: Form, tmp_path: Path
) -> None:
    table = tmp_path / "labels.csv"
    rows = [f'"{PLACE.format(name)}","{name}"\n' for name in NAMES]
    table.write_text("path,label\n" + unicodedata.normalize(form, "".join(rows)), "utf-8")
    entries = [
        Stored(unicodedata.normalize(other, PLACE.format(name)).encode(), UTF8_FLAG)
        for name in NAMES
    ]
    source = open_source(write_raw_zip(tmp_path / "images.zip", entries))
    choices = {unicodedata.normalize(other, name): number for number, name in enumerate(NAMES)}

    labels = known_labels(how=table, choices=choices, seen=survey(source.files()))

    found = {entry.name: labels.choice_of(entry.name) for entry in source.entries()}
    shown = [PLACE.format(unicodedata.normalize("NFC", name)) for name in NAMES]
    assert found == {name: number for number, name in enumerate(shown)}
    assert labels.problems() == []


@pytest.mark.parametrize("encoding", ["nonsense", "rot13", "base64", "utf-16", "a\0b", "", "hex"])
def test_what_is_no_encoding_of_names_is_refused(encoding: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--name-encoding"):
        open_source(tmp_path, name_encoding=encoding)


@given(st.binary(max_size=40), st.sampled_from([None, "cp866", "cp932", "latin-1"]), st.booleans())
def test_every_name_is_text_that_can_be_stored(
    data: bytes, encoding: str | None, certain: bool
) -> None:
    decoder = NameDecoder(encoding)
    for usually in ("", "cp437"):
        shown = display_name(decoder.decode(data, usually=usually, utf8_is_certain=certain))
        assert shown.encode() == codecs.encode(shown, "utf-8")
        assert unicodedata.is_normalized("NFC", shown)
        assert "\0" not in shown
    assert all("\0" not in note for note in decoder.notes())
