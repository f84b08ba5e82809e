"""The entries of a zip, one at a time.

The standard library's zipfile keeps every entry in memory (about 0.6 GB for a million) and trusts
the archive's directory. This module reads the directory as a stream, and each file on demand; for
a mixed order it keeps the places of the entries, and reads each entry once more.
Format: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.3 (zip64).
"""

import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from annotator_site.importing.fair_order import in_fair_order
from annotator_site.importing.file_names import NameDecoder
from annotator_site.importing.image_files import BrokenImageError

_END: Final = struct.Struct("<4s4H2LH")
_END64_LOCATOR_BYTES: Final = 20
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_DIRECTORY: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT: Final = 65_535
_ENCRYPTED: Final = 0x1
_UTF8: Final = 0x800
_STORED: Final = 0
_DEFLATED: Final = 8
_IN_ZIP64: Final = 0xFFFFFFFF
_ZIP64_FIELD: Final = 0x0001
_UNICODE_PATH_FIELD: Final = 0x7075
# Unix and macOS: names are UTF-8, and the mode tells the type of an entry.
_UNIX_SYSTEMS: Final = (3, 19)
_DOS_FOLDER: Final = 0x10
_INPUT_BYTES: Final = 64 * 1024


class DamagedZipError(ValueError):
    """A zip whose directory cannot be read; the message says what is wrong with it."""


class Member(NamedTuple):
    """A file of a zip as the directory describes it; `mode` is 0 if the writer gave none."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    offset: int
    mode: int


class _Directory(NamedTuple):
    """Begin and end of the directory, and the number of bytes to add to all offsets."""

    begin: int
    end: int
    shift: int


def members(path: Path, names: NameDecoder) -> Iterator[Member]:
    """Every entry except folders, in the order of the directory. Raises DamagedZipError.

    `names` decodes the names that do not state their encoding.
    """
    with path.open("rb") as file:
        for _, member in _placed(file, _directory(file), names):
            yield member


def mixed_members(path: Path, names: NameDecoder) -> Iterator[Member]:
    """Every entry except folders, in the order of `in_fair_order`. Raises DamagedZipError."""
    with path.open("rb") as file:
        directory = _directory(file)
        placed = (
            (member.name.encode("utf-8", "surrogatepass"), place)
            for place, member in _placed(file, directory, names)
        )
        for place in in_fair_order(placed):
            member, _ = _member_at(file, place, directory, names)
            if member is not None:
                yield member


def reader(file: BinaryIO, member: Member) -> Callable[[int], bytes]:
    """A function that reads at most the given number of bytes of a file; b"" at its end.

    Raises BrokenImageError for a file that cannot be read or is damaged.
    """
    if member.flags & _ENCRYPTED:
        raise BrokenImageError("encrypted")
    if member.method not in (_STORED, _DEFLATED):
        raise BrokenImageError(f"compressed by method {member.method}: use an ordinary zip")
    file.seek(member.offset)
    local = file.read(_LOCAL.size)
    if len(local) < _LOCAL.size or not local.startswith(b"PK\x03\x04"):
        raise BrokenImageError("damaged in the archive: it is not where the directory says")
    *_, name_bytes, extra_bytes = _LOCAL.unpack(local)
    file.seek(member.offset + _LOCAL.size + name_bytes + extra_bytes)
    return _Reader(file, member).read


class _Reader:
    def __init__(self, file: BinaryIO, member: Member) -> None:
        self.file = file
        self.member = member
        self.left = member.packed
        self.crc = 0
        self.inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.method == _DEFLATED else None

    def read(self, at_most: int) -> bytes:
        data = self._inflated(at_most) if self.inflate else self._packed(at_most)
        self.crc = zlib.crc32(data, self.crc)
        if not data and self.crc != self.member.crc:
            raise BrokenImageError("damaged in the archive: its checksum is wrong")
        return data

    def _packed(self, at_most: int) -> bytes:
        data = self.file.read(min(at_most, self.left))
        self.left -= len(data)
        return data

    def _inflated(self, at_most: int) -> bytes:
        inflate = self.inflate
        assert inflate is not None  # noqa: S101 - `read` asks only then
        while not inflate.eof:
            packed = inflate.unconsumed_tail or self._packed(_INPUT_BYTES)
            try:
                data = inflate.decompress(packed, at_most)
            except zlib.error as error:
                raise BrokenImageError(f"damaged in the archive: {error}") from error
            if data:
                return data
            if not packed:
                break
        return b""


def _placed(
    file: BinaryIO, directory: _Directory, names: NameDecoder
) -> Iterator[tuple[int, Member]]:
    """Every entry except folders, with its place in the file."""
    place = directory.begin
    while place < directory.end:
        member, after = _member_at(file, place, directory, names)
        if member is not None:
            yield place, member
        place = after


def _member_at(
    file: BinaryIO, place: int, directory: _Directory, names: NameDecoder
) -> tuple[Member | None, int]:
    """The entry at this place of the directory, None for a folder, and the place of the next."""
    file.seek(place)
    fixed = file.read(_DIRECTORY.size)
    if len(fixed) < _DIRECTORY.size or not fixed.startswith(b"PK\x01\x02"):
        raise DamagedZipError("an entry of its directory cannot be read")
    (_, made_by, _, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes,
     comment_bytes, _, _, attributes, offset) = _DIRECTORY.unpack(fixed)  # fmt: skip
    raw = file.read(name_bytes)
    extra = file.read(extra_bytes)
    after = place + _DIRECTORY.size + name_bytes + extra_bytes + comment_bytes
    is_unix = made_by >> 8 in _UNIX_SYSTEMS
    mode = attributes >> 16 if is_unix else 0
    name = _said_name(raw, flags, extra)
    if name is None:
        name = names.decode(raw, usually="cp437", utf8_is_certain=is_unix)
    if _is_folder(name, size, attributes, mode):
        return None, after
    packed, offset = _from_zip64(extra, size, packed, offset)
    return Member(name, flags, method, crc, packed, offset + directory.shift, mode), after


def _directory(file: BinaryIO) -> _Directory:
    length = file.seek(0, 2)
    tail_begin = max(0, length - _END.size - _LONGEST_COMMENT)
    file.seek(tail_begin)
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        raise DamagedZipError("its end is missing")
    *_, size, offset, _ = _END.unpack_from(tail, place)
    end = tail_begin + place
    if _is_zip64(file, end):
        end -= _END64_LOCATOR_BYTES + _END64.size
        file.seek(max(end, 0))
        record = file.read(_END64.size)
        if len(record) < _END64.size or not record.startswith(b"PK\x06\x06"):
            raise DamagedZipError("its end cannot be read")
        *_, size, offset = _END64.unpack(record)
    begin = end - size
    if begin < 0 or begin < offset:
        raise DamagedZipError("its directory is not where its end says")
    # Other data (a self-extracting program) may precede the zip; offsets do not count it.
    return _Directory(begin, end, begin - offset)


def _is_zip64(file: BinaryIO, end: int) -> bool:
    """Whether the locator of a zip64 end record precedes the end record."""
    if end < _END64_LOCATOR_BYTES:
        return False
    file.seek(end - _END64_LOCATOR_BYTES)
    return file.read(4) == b"PK\x06\x07"


def _said_name(raw: bytes, flags: int, extra: bytes) -> str | None:
    """The name, or None if the entry states no encoding or a wrong one (section 4.6.9)."""
    try:
        for kind, data in _fields(extra):
            # The field is stale if a program that does not know it changed the name.
            if kind == _UNICODE_PATH_FIELD and data[:5] == struct.pack("<BL", 1, zlib.crc32(raw)):
                return data[5:].decode("utf-8")
        return raw.decode("utf-8") if flags & _UTF8 else None
    except UnicodeDecodeError:
        return None


def _is_folder(name: str, size: int, attributes: int, mode: int) -> bool:
    """Whether an entry is a folder; Windows programs use a backslash or an attribute only."""
    marked = name.endswith("\\") or attributes & _DOS_FOLDER or stat.S_ISDIR(mode)
    return name.endswith("/") or (size == 0 and bool(marked))


def _from_zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int]:
    """Packed size and offset, taken from the zip64 field if they do not fit into 32 bits."""
    for kind, data in _fields(extra):
        if kind == _ZIP64_FIELD:
            wide = [value for (value,) in struct.iter_unpack("<Q", data[: len(data) // 8 * 8])]
            sizes = []
            for narrow in (size, packed, offset):
                if narrow == _IN_ZIP64 and not wide:
                    raise DamagedZipError("an entry of its directory has no size")
                sizes.append(wide.pop(0) if narrow == _IN_ZIP64 else narrow)
            return sizes[1], sizes[2]
    return packed, offset


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """The extra fields of an entry: kind and content."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]
