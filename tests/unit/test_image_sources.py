"""Folders and archives, sound and hostile: their pictures are read, nothing else is touched."""

import os
import stat
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from pictures import picture, write_folder, write_tar, write_zip

from annotator_site.importing import archives, layout
from annotator_site.importing.entries import Entry, SourceError
from annotator_site.importing.sources import open_source

MIB = 1024 * 1024


def entries(path: Path) -> dict[str, Entry]:
    return {entry.name: entry for entry in open_source(path).entries()}


def problems(path: Path) -> dict[str, str]:
    return {name: entry.problem for name, entry in entries(path).items() if entry.problem}


FILES = {
    "cat/1.png": picture(shade=1),
    "dog/2.jpg": picture("JPEG", shade=2),
    "dog/deep/er/3.webp": picture("WEBP", shade=3),
}


def make(kind: str, folder: Path, files: dict[str, bytes]) -> Path:
    match kind:
        case "folder":
            return write_folder(folder / "images", files)
        case "zip":
            return write_zip(folder / "images", files)
        case "stored zip":
            return write_zip(folder / "images", files, zipfile.ZIP_STORED)
        case _:
            return write_tar(folder / "images", files, kind)


KINDS = ["folder", "zip", "stored zip", "w", "w:gz", "w:bz2", "w:xz"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_gives_the_bytes_of_its_files(kind: str, tmp_path: Path) -> None:
    source = open_source(make(kind, tmp_path, FILES))

    assert {entry.name: entry.data for entry in source.entries()} == FILES
    assert sorted(found.name for found in source.files()) == sorted(FILES)


@pytest.mark.parametrize("kind", KINDS)
def test_litter_and_hidden_files_are_left_alone(kind: str, tmp_path: Path) -> None:
    litter = ["__MACOSX/cat/._1.png", "cat/.DS_Store", ".git/config", "Thumbs.db"]
    path = make(kind, tmp_path, {**FILES, **dict.fromkeys(litter, b"litter")})

    found = entries(path)

    assert {name for name, entry in found.items() if entry.ignored} == set(litter)
    assert not problems(path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_picture_is_named_with_its_reason(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {**FILES, "cat/text.png": b"text", "cat/none.png": b""})

    assert problems(path) == {
        "cat/text.png": "not a JPEG, PNG or WebP picture",
        "cat/none.png": "the file is empty",
    }


@pytest.mark.parametrize("kind", ["zip", "w"])
@pytest.mark.parametrize(
    "name", ["../out.png", "a/../../out.png", "/etc/out.png", "C:\\out.png", "..\\out.png"]
)
def test_a_path_that_leads_out_is_refused(kind: str, name: str, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = make(kind, inside, {name: picture(), **FILES})

    (problem,) = problems(path).values()

    assert problem in ("an absolute path", "a path that leads out of the archive")
    assert list(tmp_path.iterdir()) == [inside]


def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("soft.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("device.png", tarfile.CHRTYPE),
            ("pipe.png", tarfile.FIFOTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "/etc/passwd"
            archive.addfile(member)

    assert problems(path) == {
        "soft.png": "a link: not followed",
        "hard.png": "a link: not followed",
        "device.png": "not an ordinary file",
        "pipe.png": "not an ordinary file",
    }


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo("link.png")
        member.create_system = 3
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")

    assert problems(path) == {"link.png": "a link: not followed"}


def test_links_and_pipes_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    secret = write_folder(tmp_path / "elsewhere", {"secret.png": picture()})
    folder = write_folder(tmp_path / "images", {"1.png": picture()})
    (folder / "file.png").symlink_to(secret / "secret.png")
    (folder / "folder").symlink_to(secret)
    os.mkfifo(folder / "pipe.png")

    assert problems(folder) == {
        "file.png": "a symbolic link: not followed",
        "folder": "a symbolic link: not followed",
        "pipe.png": "not an ordinary file",
    }


def test_names_that_are_no_text_are_shown_without_harm(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", {"a\x1b[31m\n.png": picture()})
    (folder / "a\x1b[31m\n.png").rename(folder / os.fsdecode(b"\xff\x1b.png"))

    assert [entry.name for entry in open_source(folder).entries()] == ["\ufffd\ufffd.png"]
    assert entries(folder)["\ufffd\ufffd.png"].data == picture()


def test_a_zip_file_that_claims_to_be_small_is_stopped_while_reading(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "bomb.zip", {"bomb.png": picture() + bytes(100 * MIB)})
    data = path.read_bytes()
    size = (len(picture()) + 100 * MIB).to_bytes(4, "little")
    assert data.count(size) == 2
    path.write_bytes(data.replace(size, (100).to_bytes(4, "little")))

    assert problems(path) == {"bomb.png": "larger than 64 MiB"}


def test_a_zip_that_is_damaged_inside_loses_that_file_only(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "images.zip", FILES, zipfile.ZIP_STORED)
    data = path.read_bytes()
    place = data.index(FILES["cat/1.png"]) + 40
    path.write_bytes(data[:place] + b"!!!!" + data[place + 4 :])

    assert problems(path) == {"cat/1.png": "damaged in the archive: its checksum is wrong"}


def test_an_encrypted_or_unusual_zip_says_so(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "images.zip", {"1.png": picture()}, zipfile.ZIP_LZMA)
    assert problems(path) == {"1.png": "compressed by method 14: use an ordinary zip"}

    data = bytearray(write_zip(path, {"1.png": picture()}).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert problems(path) == {"1.png": "encrypted"}


def test_a_zip_behind_another_program_and_a_large_zip_are_read(tmp_path: Path) -> None:
    zip64 = tmp_path / "zip64.zip"
    with zipfile.ZipFile(zip64, "w") as archive:
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=True) as file:
                file.write(data)
        # Beyond 65,535 entries a zip needs the wider records.
        for number in range(65_536):
            archive.writestr(f".hidden/{number}", b"")
    prefixed = tmp_path / "prefixed.zip"
    prefixed.write_bytes(b"PK\x03\x04 something before it" + zip64.read_bytes())

    for path in (zip64, prefixed):
        pictures = {entry.name: entry.data for entry in entries(path).values() if entry.data}
        assert pictures == FILES


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
# In a tar of entries of 5,632 bytes: inside a file, inside a header.
@pytest.mark.parametrize("length", [40_000, 45_440])
def test_an_archive_that_ends_early_is_refused_before_anything_is_taken(
    kind: str, length: int, tmp_path: Path
) -> None:
    files = {f"{n}.png": (picture(shade=n) + os.urandom(5120))[:5120] for n in range(9)}
    path = make(kind, tmp_path, files)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(SourceError, match="damaged"):
        list(open_source(path).files())


def test_a_tar_with_a_damaged_header_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "images.tar", {f"{n}.png": picture(shade=n) for n in range(50)})
    data = bytearray(path.read_bytes())
    data[20 * 1024 : 20 * 1024 + 8] = b"damaged!"
    path.write_bytes(data)

    with pytest.raises(SourceError, match="a header in it cannot be read"):
        list(open_source(path).files())


def test_a_tar_header_without_end_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("1.png")
    member.pax_headers = {"comment": "x" * 3 * MIB}
    path = tmp_path / "header.tar"
    with tarfile.open(path, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member)

    with pytest.raises(SourceError, match="larger than any honest one"):
        list(open_source(path).files())


def test_a_tar_that_unpacks_to_a_flood_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_RATIO_FROM_BYTES", MIB)
    bomb = write_tar(tmp_path / "bomb.tar.gz", {"1.png": bytes(20 * MIB)}, "w:gz")

    with pytest.raises(SourceError, match="far more than images would"):
        list(open_source(bomb).files())


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("list.csv", b"path,label\n", "not supported yet"),
        ("list.jsonl", b"{}\n", "not supported yet"),
        ("table.parquet", b"PAR1....", "not supported yet"),
        ("picture.png", picture(), "is not a folder, a zip or a tar"),
        ("text.gz", b"\x1f\x8bnonsense", "is not a tar, or is damaged"),
        ("empty", b"", "is not a folder, a zip or a tar"),
    ],
)
def test_what_cannot_be_a_source_says_why(
    name: str, data: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)

    with pytest.raises(SourceError, match=message):
        list(open_source(tmp_path / name).files())


def test_a_path_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        open_source(tmp_path / "nothing")


@pytest.mark.parametrize("kind", ["zip", "w:gz"])
def test_memory_does_not_grow_with_the_archive(kind: str, tmp_path: Path) -> None:
    path = make(kind, tmp_path, {f"folder/{number:06}.png": b"" for number in range(10_000)})

    tracemalloc.start()
    try:
        assert sum(1 for _ in open_source(path).entries()) == 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # The standard library's own zipfile takes 6 MiB for it, its tarfile 20.
    assert peak < MIB


def test_the_number_of_entries_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "MAX_ENTRIES", 2)
    path = write_zip(tmp_path / "images.zip", FILES)

    with pytest.raises(SourceError, match="more than 2 files"):
        layout.survey(open_source(path).files())
