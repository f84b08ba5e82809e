"""Files of the security log: private, small, and shared by all processes of this machine."""

import fcntl
import logging
import os
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Final

MODE: Final = 0o600
MAX_FILE_BYTES: Final = 5_000_000
KEPT_FILES: Final = 5
"""Rotated files, besides the one that is written; `.1` is the newest."""


class SharedFileHandler(WatchedFileHandler):
    """Appends lines to a file that other processes append to, and rotates it when it is full.

    Each line is one write at the end of the file, so that none is torn. The process that finds the
    file full rotates it under a lock; others notice the new inode before their next line.
    """

    def __init__(self, path: str, most_bytes: int = MAX_FILE_BYTES, kept: int = KEPT_FILES) -> None:
        self.most_bytes = most_bytes
        self.kept = kept
        super().__init__(path, encoding="ascii", delay=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; errors are reported on stderr and fail no request."""
        try:
            super().emit(record)
            if self.stream is not None and os.fstat(self.stream.fileno()).st_size > self.most_bytes:
                self._move()
        except Exception:
            self.handleError(record)

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="ascii", opener=_private)

    def _move(self) -> None:
        """Rename the file to `.1`, and each rotated file to the next number."""
        path = Path(self.baseFilename)
        with open(f"{path}.lock", "w", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Another process may just have rotated it.
            if not path.exists() or path.stat().st_size <= self.most_bytes:
                return
            for number in range(self.kept, 0, -1):
                older = Path(f"{path}.{number - 1}") if number > 1 else path
                if older.exists():
                    older.replace(f"{path}.{number}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, MODE)
