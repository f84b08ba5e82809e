"""Writing files that several processes share, on a disk that may be full."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DiskFull(OSError):
    """A row cannot be written, because the disk is full; the message says what to do."""


@contextmanager
def locked(lock: int, chunk: int, *, wait: bool) -> Iterator[bool]:
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


@contextmanager
def telling_full(folder: Path) -> Iterator[None]:
    """Turn the errors of a full disk into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFull(
            f"{folder} cannot take more: {os.strerror(error.errno)}. Make room on that disk, or "
            "delete folders beside it that belong to no running campaign. What is there stays "
            "whole, and the rest follows by itself."
        ) from error


def write(file: int, data: bytes, at: int) -> None:
    """Write all of the data; one pwrite may write only a part when the disk fills up."""
    while data:
        written = os.pwrite(file, data, at)
        data, at = data[written:], at + written
