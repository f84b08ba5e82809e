"""Rows on disk by image position, each with a mark that it is whole, shared by all processes.

A folder holds one set of rows: a data file, row after row; `filled.u8`, one state byte per row;
`lock`, whose byte ranges processes lock to divide the filling; and a file that says what the rows
were made for. Deleting the folder loses nothing but time.

A row's data are flushed to disk before its state byte is written, so a crash of a process or a
machine leaves no row marked filled without its data. Filling a row twice writes equal data.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from al_engine.embedded import BROKEN, EMPTY, FILLED, STATES
from al_engine.training.decoding import UndecodableImage
from al_engine.training.disk import locked, telling_full, write

Row = npt.NDArray[Any]
States = npt.NDArray[np.uint8]
Made = Row | UndecodableImage | FileNotFoundError | MemoryError
"""A row, or why there is none: only an UndecodableImage is a verdict on the image."""


class NotFilled(LookupError):
    """The requested rows are not there."""


@dataclass(frozen=True, slots=True)
class FillReport:
    """What one call of `fill` did itself: rows filled, and (position, reason) of broken images."""

    filled: int
    broken: list[tuple[int, str]]


class FilledRows:
    """`shape` numbers of `dtype` on disk for each image; a row is an image's `position`, from 0.

    Any number of processes may read, fill and grow the same rows at the same time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        data: str,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        guard: tuple[str, str],
    ) -> None:
        """Open or create the rows in the file `data` of the folder.

        `guard`: a file name, and what it says these rows were made for; raises ValueError if it
        says something else.
        """
        self.folder = folder
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.row_bytes = self.dtype.itemsize * int(np.prod(shape))
        self._data_path = folder / data
        self._states_path = folder / STATES
        self._lock_path = folder / "lock"
        folder.mkdir(parents=True, exist_ok=True)
        with self._growing():
            guard_path, made_for = folder / guard[0], guard[1]
            found = guard_path.read_text() if guard_path.exists() else ""
            if not found:
                with telling_full(folder):
                    guard_path.write_text(made_for)
            elif found != made_for:
                raise ValueError(
                    f"{folder} was made for {guard[0]} {found}, not for {made_for}. Delete that "
                    "folder: it is made anew, and that loses nothing but time."
                )
            self._states_path.touch()
            self._lock_path.touch()
        self._map()

    def __len__(self) -> int:
        """The number of rows that there is room for, as this process last saw it."""
        return len(self._states)

    @property
    def mapped(self) -> Row:
        """All rows, (capacity, *shape), read-only and mapped; rows that are not filled are zero."""
        return self._rows

    def grow(self, count: int) -> None:
        """Make room for at least `count` rows; the files are sparse, so empty rows cost nothing.

        Rows never become fewer, so the maps of other processes stay valid. Raises DiskFull.
        """
        if count > self._states_path.stat().st_size:
            with self._growing(), telling_full(self.folder):
                if count > self._states_path.stat().st_size:
                    # Data first, because the number of states defines the number of rows.
                    os.truncate(self._data_path, count * self.row_bytes)
                    os.truncate(self._states_path, count)
        if count > len(self._states):
            self._map()

    def fill(
        self,
        positions: Iterable[int],
        make: Callable[[list[int], Executor], Iterable[Made]],
        *,
        chunk_rows: int,
        threads: int,
        progress: Callable[[int], None] | None = None,
    ) -> FillReport:
        """Fill the missing rows at these positions; each ends filled or reported broken.

        `make` returns the rows at some positions, in order, and may use the threads. A missing
        file, and memory that does not suffice, are reported broken but stay missing, so that a
        later call tries again; any error that `make` raises ends the call. An image that cannot be
        decoded is marked broken until `forget`. `progress` gets the number of rows this call has
        processed. Processes that fill the same rows share the work in chunks of `chunk_rows`,
        which must be the same for all: this call leaves chunks locked by others to the end, then
        waits for them, and takes over those of processes that died. Raises DiskFull.
        """
        missing = self.missing(np.unique(np.fromiter(positions, dtype=np.int64)))
        filled, broken = 0, list[tuple[int, str]]()
        if not len(missing):
            return FillReport(filled=filled, broken=broken)
        self.grow(int(missing[-1]) + 1)
        chunks = [
            list(rows) for _, rows in groupby(missing.tolist(), key=lambda p: p // chunk_rows)
        ]
        done = 0
        with self._lock_path.open("r+b") as lock, ThreadPoolExecutor(threads) as pool:
            for wait in (False, True):
                left_to_others = []
                for chunk in chunks:
                    with locked(lock.fileno(), chunk[0] // chunk_rows, wait=wait) as held:
                        if not held:
                            left_to_others.append(chunk)
                            continue
                        part = self._fill_chunk(chunk, make, pool)
                    filled, broken = filled + part.filled, broken + part.broken
                    done += len(chunk)
                    if progress is not None:
                        progress(done)
                chunks = left_to_others
        return FillReport(filled=filled, broken=broken)

    def store(self, rows: Iterable[tuple[int, Row]], *, marks: dict[int, int]) -> int:
        """Write rows by position, flush them to disk, then mark them filled; returns how many.

        There must be room for them. `marks`: states to write besides theirs, read after the last
        row was taken. Raises DiskFull; then none of them counts as filled.
        """
        written: list[int] = []
        # Write with calls rather than through the map: on a full disk a call raises OSError, but
        # writing to a sparse map would kill the process.
        with telling_full(self.folder):
            with self._data_path.open("r+b", buffering=0) as file:
                for position, row in rows:
                    write(file.fileno(), row.tobytes(), position * self.row_bytes)
                    written.append(position)
                os.fsync(file.fileno())
            with self._states_path.open("r+b", buffering=0) as file:
                for position, state in (marks | dict.fromkeys(written, FILLED)).items():
                    write(file.fileno(), bytes([state]), position)
        return len(written)

    def forget(self, positions: npt.ArrayLike) -> None:
        """Mark broken images at these positions as missing: their files may have changed."""
        wanted = as_positions(positions)
        broken = wanted[self._states_at(wanted) == BROKEN].tolist()
        if broken:
            with self._states_path.open("r+b", buffering=0) as file:
                for position in broken:
                    write(file.fileno(), bytes([EMPTY]), position)

    def take(self, positions: npt.ArrayLike) -> Row:
        """A copy of these rows, (n, *shape); raises NotFilled if any is not filled."""
        wanted = as_positions(positions)
        absent = wanted[~self.is_filled(wanted)]
        if len(absent):
            raise NotFilled(
                f"{len(absent)} of {len(wanted)} images are not in the cache, the first at "
                f"position {absent[0]}. Fill the cache first, and leave broken images out."
            )
        return self._rows[wanted]

    def is_filled(self, positions: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each of these rows is whole; False beyond the end."""
        filled: npt.NDArray[np.bool_] = self._states_at(positions) == FILLED
        return filled

    def missing(self, positions: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The positions, in the given order, that are neither filled nor broken."""
        wanted = as_positions(positions)
        missing: npt.NDArray[np.int64] = wanted[self._states_at(wanted) == EMPTY]
        return missing

    def count_filled(self) -> int:
        """How many rows are whole."""
        if len(self._states) < self._states_path.stat().st_size:
            self._map()  # another process has made room
        return int(np.count_nonzero(self._states == FILLED))

    def _states_at(self, positions: npt.ArrayLike) -> States:
        wanted = as_positions(positions)
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
        states: States = np.empty(0, np.uint8)
        rows: Row = np.empty((0, *self.shape), self.dtype)
        if count:  # an empty file cannot be mapped
            states = np.memmap(self._states_path, np.uint8, "r", shape=(count,))
            rows = np.memmap(self._data_path, self.dtype, "r", shape=(count, *self.shape))
        # In this order, so that no thread sees a state without its row.
        self._rows, self._states = rows, states

    def _fill_chunk(
        self,
        chunk: list[int],
        make: Callable[[list[int], Executor], Iterable[Made]],
        pool: Executor,
    ) -> FillReport:
        """Fill one locked chunk: rows, then states."""
        marks: dict[int, int] = {}
        broken: list[tuple[int, str]] = []
        # Another process may have filled some rows before this chunk was locked.
        still_missing = self.missing(chunk).tolist()

        def whole() -> Iterator[tuple[int, Row]]:
            for position, row in zip(still_missing, make(still_missing, pool), strict=True):
                if isinstance(row, UndecodableImage):
                    marks[position] = BROKEN
                    broken.append((position, str(row)))
                elif isinstance(row, FileNotFoundError):
                    broken.append((position, "the file is not there"))
                elif isinstance(row, MemoryError):
                    broken.append((position, "there is too little memory to decode it"))
                else:
                    yield position, row

        return FillReport(filled=self.store(whole(), marks=marks), broken=broken)

    @contextmanager
    def _growing(self) -> Iterator[None]:
        """An exclusive lock, between threads and between processes, for changing file sizes."""
        with self._data_path.open("ab") as data:
            fcntl.flock(data, fcntl.LOCK_EX)  # released on closing and on death of the process
            yield


def as_positions(positions: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Positions as an array, int64 (n,)."""
    return np.asarray(positions, dtype=np.int64)
