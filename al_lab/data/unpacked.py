"""The cache of unpacked data sets: uint8 arrays on disk, which processes map into shared memory.

A data set is unpacked once per machine, under a lock that is released when its process dies, into a
folder that gets its final name when it is complete. So a killed process leaves no half data set.
Deleting the cache costs nothing but time.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from al_engine.training.decoding import UndecodableImage, decode, pixels_of
from al_lab.data.files import DAMAGE_ERRORS, NoData
from al_lab.data.formats import Part, Source

# A part of the folders' names; increase it when the contents of caches change.
FORMAT: Final = 1
# A few damaged files are left out; if it is a larger share, something else is wrong.
_MAX_BROKEN_SHARE: Final = 0.1
_FILES_NAMED: Final = 3
_ABOUT_FILE: Final = "about.json"
_Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """By part, "train" and "test": `pixels` uint8 (n, 3, S, S), `truth` and `original` int64 (n,).

    `notes` say what was left out.
    """

    parts: dict[str, _Arrays]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def load_unpacked(
    cache: Path,
    *,
    name: str,
    stamp: str,
    image_size: int,
    source: Callable[[Path], AbstractContextManager[Source]],
) -> Unpacked:
    """A data set from the cache, unpacked now if it is not there. Raises NoData.

    `stamp` changes when the contents do. `source` gets a folder for temporary files.
    """
    digest = hashlib.sha256(json.dumps([FORMAT, name, stamp, image_size]).encode()).hexdigest()
    readable = re.sub(r"[^\w.-]+", "_", name).strip("_.")
    place = cache / f"{readable}-{image_size}px-{digest[:12]}"
    try:
        if not place.exists():
            cache.mkdir(parents=True, exist_ok=True)
            # One lock for all image sizes, which share what a library downloads.
            with (cache / f"{readable}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not place.exists():
                    _unpack_into(place, source, name, image_size)
        return _read(place)
    except DAMAGE_ERRORS as error:
        if isinstance(error, NoData):
            raise
        raise NoData(
            f"{name} could not be unpacked to {place}, or not be read from there ({error}). If "
            "there is room and it may be written to, delete it and start again."
        ) from error


def stamp_of(path: Path) -> str:
    """A text that changes when the file, or any file of the folder, is replaced."""
    if path.is_file():
        return _stamp(path)
    files = sorted(Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    stamps = "\n".join(f"{file.relative_to(path)} {_stamp(file)}" for file in files)
    return hashlib.sha256(stamps.encode(errors="surrogateescape")).hexdigest()


def _stamp(file: Path) -> str:
    status = file.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _unpack_into(
    place: Path,
    source: Callable[[Path], AbstractContextManager[Source]],
    name: str,
    image_size: int,
) -> None:
    half = place.with_name(f"{place.name}.half")
    shutil.rmtree(half, ignore_errors=True)  # of a process that was killed
    half.mkdir()
    try:
        with source(half) as found:
            notes, most = list(found.notes), -1
            for part_name, part in (("train", found.train), ("test", found.test)):
                truth, note = _write(half, part_name, part, name, image_size)
                most = max(most, int(truth.max()))
                notes += [note] if note else []
            classes = found.classes or tuple(str(number) for number in range(most + 1))
        if most >= len(classes):
            raise NoData(f"{name}: an image is of class {most}; there are {len(classes)} classes.")
        if len(classes) < 2:
            raise NoData(f"{name}: all images are of one class; there is nothing to learn.")
        about = {"classes": classes, "notes": notes}
        (half / _ABOUT_FILE).write_text(json.dumps(about), encoding="utf-8")
        half.rename(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _write(
    folder: Path, part_name: str, part: Part, name: str, image_size: int
) -> tuple[npt.NDArray[np.int64], str]:
    """Write the images of a part;

    returns their classes, and a sentence on those left out, or "".
    """
    kept, broken = list[tuple[int, int]](), list[str]()
    with (folder / f"{part_name}_pixels.npy").open("wb") as file:
        _write_header(file, part.count, image_size)
        for item in part.items:
            try:
                picture = item.picture()
                of = decode if isinstance(picture, bytes) else pixels_of
                file.write(of(picture, image_size=image_size).tobytes())  # type: ignore[arg-type]
                kept.append((item.truth, item.original))
            except UndecodableImage as error:
                broken.append(f"{item.place}: {error}")
        file.seek(0)
        _write_header(file, len(kept), image_size)
    left_out = _left_out(name, part_name, broken, part.count)
    if not kept or len(broken) > _MAX_BROKEN_SHARE * part.count:
        raise NoData(left_out or f"{name} has no {part_name} images in class folders or an index.")
    truth, original = np.array(kept, dtype=np.int64).T
    if truth.min() < 0:
        raise NoData(f"{name}: a {part_name} image is of class {truth.min()}.")
    np.save(folder / f"{part_name}_truth.npy", truth)
    np.save(folder / f"{part_name}_original.npy", original)
    return truth, left_out


def _write_header(file: BinaryIO, images: int, image_size: int) -> None:
    """Write or overwrite the header: NumPy pads it, so it fits a first axis of any length."""
    shape = (images, 3, image_size, image_size)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


def _left_out(name: str, part_name: str, broken: list[str], of: int) -> str:
    if not broken:
        return ""
    more = "; …" if len(broken) > _FILES_NAMED else "."
    return (
        f"{name}: {len(broken):,} of {of:,} {part_name} images cannot be used: "
        f"{'; '.join(broken[:_FILES_NAMED])}{more}"
    )


def _read(place: Path) -> Unpacked:
    about = json.loads((place / _ABOUT_FILE).read_text(encoding="utf-8"))
    parts: dict[str, _Arrays] = {
        part: {
            # Copy on write: torch wants writable memory, and the file must not change.
            kind: np.load(place / f"{part}_{kind}.npy", mmap_mode="c", allow_pickle=False)
            for kind in ("pixels", "truth", "original")
        }
        for part in ("train", "test")
    }
    return Unpacked(parts, tuple(about["classes"]), tuple(about["notes"]))
