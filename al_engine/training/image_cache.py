"""Images decoded once per machine, in a memory-mapped array shared by all its processes.

A folder holds one campaign's cache at one input size: `images.u8`, the pixels, row after row;
`filled.u8`, one state byte per row; `lock`, whose byte ranges processes lock to divide the filling;
and `image_size`, which guards against mixing sizes. Deleting the folder loses nothing but time.

A row's pixels are flushed to disk before its state byte is written, so a crash of a process or a
machine leaves no row marked filled without its pixels. Filling a row twice writes the same bytes.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from al_engine.training.decoding import UndecodableImage, decode

EMPTY, FILLED, BROKEN = 0, 1, 2

# Rows that a process locks, fills and flushes to disk at a time.
CHUNK_IMAGES = 256

Pixels = npt.NDArray[np.uint8]


class NotFilled(LookupError):
    """The requested pixels are not in the cache."""


@dataclass(frozen=True, slots=True)
class FillReport:
    """What one call of `fill` did itself: rows filled, and (position, reason) of broken images."""

    filled: int
    broken: list[tuple[int, str]]


class ImageCache:
    """uint8 (capacity, 3, S, S) on disk; a row is an image's `position` in its campaign, from 0.

    Any number of processes may read, fill and grow one cache at the same time.
    """

    def __init__(self, folder: Path, *, image_size: int) -> None:
        """Open or create the cache; raises ValueError if it holds another image size."""
        self.image_size = image_size
        self._row_bytes = 3 * image_size * image_size
        self._shape = (3, image_size, image_size)
        self._images_path = folder / "images.u8"
        self._states_path = folder / "filled.u8"
        self._lock_path = folder / "lock"
        folder.mkdir(parents=True, exist_ok=True)
        with self._growing():
            size_path = folder / "image_size"
            made_for = size_path.read_text() if size_path.exists() else ""
            if not made_for:
                size_path.write_text(str(image_size))
            elif made_for != str(image_size):
                raise ValueError(
                    f"The image cache in {folder} holds images of {made_for} px, not of "
                    f"{image_size} px. Use another folder for this size, or delete that one."
                )
            self._states_path.touch()
            self._lock_path.touch()
        self._map()

    def grow(self, count: int) -> None:
        """Make room for at least `count` rows; the files are sparse, so empty rows cost nothing.

        A cache never shrinks, so the maps of other processes stay valid.
        """
        if count > self._states_path.stat().st_size:
            with self._growing():
                if count > self._states_path.stat().st_size:
                    # Pixels first, because the number of states defines the number of rows.
                    os.truncate(self._images_path, count * self._row_bytes)
                    os.truncate(self._states_path, count)
        if count > len(self._states):
            self._map()

    def fill(
        self,
        positions: Iterable[int],
        read: Callable[[int], bytes],
        *,
        threads: int = 4,
        progress: Callable[[int], None] | None = None,
    ) -> FillReport:
        """Decode the missing images at these positions; each ends filled or reported broken.

        `read` returns the bytes of a position's file. If it raises FileNotFoundError, or memory
        does not suffice for decoding, the image is reported broken but stays missing, so that a
        later call tries again; any other error of `read` ends the call. An image that cannot be
        decoded is marked broken until `forget`. `progress` gets the number of rows this call has
        processed. Processes that fill the same cache share the work in chunks: this call leaves
        chunks locked by others to the end, then waits for them, and takes over those of processes
        that died.
        """
        missing = self.missing(np.unique(np.fromiter(positions, dtype=np.int64)))
        filled, broken = 0, list[tuple[int, str]]()
        if not len(missing):
            return FillReport(filled=filled, broken=broken)
        self.grow(int(missing[-1]) + 1)
        chunks = [
            list(rows) for _, rows in groupby(missing.tolist(), key=lambda p: p // CHUNK_IMAGES)
        ]
        done = 0
        with self._lock_path.open("r+b") as lock, ThreadPoolExecutor(threads) as pool:
            for wait in (False, True):
                left_to_others = []
                for chunk in chunks:
                    with _locked(lock.fileno(), chunk[0] // CHUNK_IMAGES, wait=wait) as held:
                        if not held:
                            left_to_others.append(chunk)
                            continue
                        part = self._fill_chunk(chunk, read, pool)
                    filled, broken = filled + part.filled, broken + part.broken
                    done += len(chunk)
                    if progress is not None:
                        progress(done)
                chunks = left_to_others
        return FillReport(filled=filled, broken=broken)

    def forget(self, positions: npt.ArrayLike) -> None:
        """Mark broken images at these positions as missing: their files may have changed."""
        wanted = _as_positions(positions)
        broken = wanted[self._states_at(wanted) == BROKEN].tolist()
        if broken:
            with self._states_path.open("r+b", buffering=0) as file:
                for position in broken:
                    _write(file.fileno(), bytes([EMPTY]), position)

    def rows(self, positions: npt.ArrayLike) -> Tensor:
        """A copy of these rows, uint8 (n, 3, S, S); raises NotFilled if any is not filled."""
        wanted = _as_positions(positions)
        absent = wanted[~self.is_filled(wanted)]
        if len(absent):
            raise NotFilled(
                f"{len(absent)} of {len(wanted)} images are not in the cache, the first at "
                f"position {absent[0]}. Fill the cache first, and leave broken images out."
            )
        return torch.from_numpy(self._images[wanted])

    def is_filled(self, positions: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each of these rows holds an image; False beyond the cache's end."""
        filled: npt.NDArray[np.bool_] = self._states_at(positions) == FILLED
        return filled

    def missing(self, positions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The positions, in the given order, that are neither filled nor broken."""
        wanted = _as_positions(positions)
        missing: npt.NDArray[np.int64] = wanted[self._states_at(wanted) == EMPTY]
        return missing

    def _states_at(self, positions: npt.ArrayLike) -> Pixels:
        wanted = _as_positions(positions)
        if not len(wanted):
            return np.empty(0, np.uint8)
        if wanted.min() < 0:
            raise ValueError(f"Positions are numbered from 0; {wanted.min()} is none.")
        if wanted.max() >= len(self._states):
            self._map()  # another process may have made room
        states = np.full(len(wanted), EMPTY, np.uint8)
        within = wanted < len(self._states)
        states[within] = self._states[wanted[within]]
        return states

    def _map(self) -> None:
        """Map the files at their present size; earlier maps stay valid, as files never shrink."""
        count = self._states_path.stat().st_size
        states: Pixels = np.empty(0, np.uint8)
        images: Pixels = np.empty((0, *self._shape), np.uint8)
        if count:  # an empty file cannot be mapped
            states = np.memmap(self._states_path, np.uint8, "r", shape=(count,))
            images = np.memmap(self._images_path, np.uint8, "r", shape=(count, *self._shape))
        # In this order, so that no thread sees a state without its pixels.
        self._images, self._states = images, states

    def _fill_chunk(
        self, chunk: list[int], read: Callable[[int], bytes], pool: Executor
    ) -> FillReport:
        """Fill one locked chunk: write the pixels, flush them to disk, then write the states."""

        def load(position: int) -> Pixels | UndecodableImage | FileNotFoundError | MemoryError:
            try:
                return decode(read(position), image_size=self._shape[1])
            except (UndecodableImage, FileNotFoundError, MemoryError) as error:
                return error

        states: dict[int, int] = {}
        broken: list[tuple[int, str]] = []
        # Another process may have filled some rows before this chunk was locked.
        still_missing = self.missing(chunk).tolist()
        # Write with calls rather than through the map: on a full disk a call raises OSError, but
        # writing to a sparse map would kill the process.
        with self._images_path.open("r+b", buffering=0) as images:
            for position, row in zip(still_missing, pool.map(load, still_missing), strict=True):
                if isinstance(row, UndecodableImage):
                    states[position] = BROKEN
                    broken.append((position, str(row)))
                elif isinstance(row, FileNotFoundError):
                    broken.append((position, "the file is not there"))
                elif isinstance(row, MemoryError):
                    broken.append((position, "there is too little memory to decode it"))
                else:
                    _write(images.fileno(), row.tobytes(), position * self._row_bytes)
                    states[position] = FILLED
            os.fsync(images.fileno())
        with self._states_path.open("r+b", buffering=0) as file:
            for position, state in states.items():
                _write(file.fileno(), bytes([state]), position)
        return FillReport(filled=[*states.values()].count(FILLED), broken=broken)

    @contextmanager
    def _growing(self) -> Iterator[None]:
        """An exclusive lock, between threads and between processes, for changing file sizes."""
        with self._images_path.open("ab") as images:
            fcntl.flock(images, fcntl.LOCK_EX)  # released on closing and on death of the process
            yield


@contextmanager
def _locked(lock: int, chunk: int, *, wait: bool) -> Iterator[bool]:
    """Lock one chunk against other processes; yields False if another process holds it.

    The lock belongs to the process and is released when the process dies or closes the file
    anywhere. Two fillers in one process therefore do not exclude each other and may do the same
    work twice.
    """
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, chunk)
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, depending on the system
        yield False
        return
    try:
        yield True
    finally:
        fcntl.lockf(lock, fcntl.LOCK_UN, 1, chunk)


def _as_positions(positions: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return np.asarray(positions, dtype=np.int64)


def _write(file: int, data: bytes, at: int) -> None:
    """Write all of the data; one pwrite may write only a part when the disk fills up."""
    while data:
        written = os.pwrite(file, data, at)
        data, at = data[written:], at + written
