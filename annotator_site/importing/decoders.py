"""Untrusted files are decoded in child processes, so that a crash harms nothing else.

A decoder is a large C program that reads untrusted data. Each child has limits on processor time
and memory, no secrets in its environment, and gets the bytes of a file only; its answers are
checked. A child that dies or takes too long is replaced, and its file is refused.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import AbstractContextManager
from threading import Lock
from typing import Final

from annotator_site.importing.decoder import (
    Decoder,
    DecoderDied,
    DecoderNotStarted,
    Limits,
    Verdict,
)
from annotator_site.importing.decoder_child import OUT_OF_MEMORY
from annotator_site.importing.image_files import BrokenImageError, ImageFacts

MAX_CHILDREN: Final = max(2, min(4, os.cpu_count() or 2))
"""Children side by side: each takes one processor and up to half a gigabyte."""
FILES_A_CHILD: Final = 8
"""Starting another child takes longer than decoding fewer files than this."""
_CLOSED: Final = "no picture is decoded any more"
PARCEL_BYTES: Final = 128 * 1024
PARCEL_FILES: Final = 32
"""Small files go to a child together: handing one over takes longer than decoding it."""


class Decoders(AbstractContextManager["Decoders"]):
    """Child processes that decode, started when needed; leaving the context ends them all.

    The methods may be called from many threads at once.
    """

    def __init__(self, limits: Limits | None = None, *, files: int | None = None) -> None:
        """`files`: about how many files there are, if known."""
        self._limits = limits or Limits()
        most = MAX_CHILDREN if files is None else min(MAX_CHILDREN, 1 + files // FILES_A_CHILD)
        # One thread for each child, so that several parcels are decoded at the same time.
        self._threads = ThreadPoolExecutor(most, "decoding")
        self._lock = Lock()
        # Large pictures are decoded one at a time, so that memory does not grow with the children.
        self._large = Lock()
        self._idle: list[Decoder] = []
        self._busy: set[Decoder] = set()
        self._closed = False

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            idle, busy = list(self._idle), list(self._busy)
        for child in idle:
            child.end()
        for child in busy:
            child.kill()  # the child's thread then sees its end and closes the socket
        self._threads.shutdown(cancel_futures=True)

    def pids(self) -> list[int]:
        """The process ids of the living children."""
        with self._lock:
            return [child.process.pid for child in (*self._idle, *self._busy)]

    def inspect(self, data: bytes) -> ImageFacts:
        """The result of `inspect_image` for a file.

        Raises BrokenImageError, also for a file that exceeds the limits or ends its decoder, and
        DecoderNotStarted.
        """
        (verdict,) = self.inspect_all([data])
        if isinstance(verdict, BrokenImageError):
            raise verdict
        return verdict

    def inspect_all(self, files: Sequence[bytes]) -> Iterator[Verdict]:
        """The verdicts on many files, in their order, as they come. Raises DecoderNotStarted."""
        try:
            for verdicts in self._threads.map(self._inspect_parcel, list(_parcels(files))):
                yield from verdicts
        except (CancelledError, RuntimeError) as error:
            # Queued when the context was left, or asked for after it.
            if self._closed:
                raise DecoderNotStarted(_CLOSED) from error
            raise

    def _inspect_parcel(self, files: Sequence[bytes]) -> list[Verdict]:
        if len(files) > 1:
            try:
                return self._ask(files)
            except (TimeoutError, DecoderDied):
                pass  # ask for one file at a time, to find the one at fault
        return [self._inspect_one(data) for data in files]

    def _inspect_one(self, data: bytes) -> Verdict:
        # The machine may have run out of memory at that moment: a file is blamed only when it
        # ends a second child as well.
        for last in (False, True):
            try:
                return self._ask([data])[0]
            except TimeoutError:
                return _too_slow(self._limits.seconds)
            except DecoderDied as died:
                if died.status == -signal.SIGXCPU:
                    return _too_slow(self._limits.cpu_seconds)
                if last:
                    return self._deadly(died.status)
        raise AssertionError

    def _ask(self, files: Sequence[bytes]) -> list[Verdict]:
        child = self._take()
        try:
            verdicts = child.inspect(files)
        except BaseException:
            with self._lock:
                self._busy.discard(child)
            child.end()
            raise
        with self._lock:
            self._busy.discard(child)
            if not self._closed:
                self._idle.append(child)
                return verdicts
        child.end()
        return verdicts

    def _take(self) -> Decoder:
        with self._lock:
            if self._closed:
                raise DecoderNotStarted(_CLOSED)
            child = self._idle.pop() if self._idle else None
        child = child or Decoder(self._limits, self._large)
        with self._lock:
            self._busy.add(child)
        return child

    def _deadly(self, status: int) -> BrokenImageError:
        if status == OUT_OF_MEMORY:
            mebibytes = self._limits.memory_bytes // 1024**2
            return BrokenImageError(
                f"takes more than {mebibytes:,} MiB of memory to decode: make it smaller"
            )
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return BrokenImageError(
            f"ends the program that decodes it ({name}): save it anew with another program"
        )


def _parcels(files: Sequence[bytes]) -> Iterator[list[bytes]]:
    parcel: list[bytes] = []
    size = 0
    for data in files:
        if parcel and (len(parcel) == PARCEL_FILES or size + len(data) > PARCEL_BYTES):
            yield parcel
            parcel, size = [], 0
        parcel.append(data)
        size += len(data)
    if parcel:
        yield parcel


def _too_slow(seconds: float) -> BrokenImageError:
    return BrokenImageError(f"takes more than {seconds:g} s to decode: save it anew, or smaller")
