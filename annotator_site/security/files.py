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
"""Files of MAX_FILE_BYTES beside the one that is written, `.1` the newest."""


class SharedFileHandler(WatchedFileHandler):
    """Appends lines to a file that other processes append to, and moves it away when it is full.

    Each line is one write at the end of the file, so that none is torn. Whoever finds it full moves
    it under a lock; the others notice by its inode before their next line.
    """

    def __init__(self, path: str, most_bytes: int = MAX_FILE_BYTES, kept: int = KEPT_FILES) -> None:
        self.most_bytes = most_bytes
        self.kept = kept
        super().__init__(path, encoding="ascii", delay=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; what goes wrong is told on stderr and harms nobody's request."""
        try:
            super().emit(record)
            if self.stream is not None and os.fstat(self.stream.fileno()).st_size > self.most_bytes:
                self._move()
        except Exception:
            self.handleError(record)

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="ascii", opener=_private)

    def _move(self) -> None:
        """Move the file away, and those before it one further."""
        path = Path(self.baseFilename)
        with open(f"{path}.lock", "w", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Somebody else may just have moved it.
            if not path.exists() or path.stat().st_size <= self.most_bytes:
                return
            for number in range(self.kept, 0, -1):
                older = Path(f"{path}.{number - 1}") if number > 1 else path
                if older.exists():
                    older.replace(f"{path}.{number}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, MODE)
