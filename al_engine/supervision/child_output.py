"""The output of one supervised process, line by line, to the terminal and to a bounded file."""

import os
import sys
from contextlib import suppress
from pathlib import Path

# Longer lines are split, so that a child without line ends cannot fill the memory.
MAX_LINE_BYTES = 65_536
MAX_FILE_BYTES = 5_000_000  # then renamed to NAME.log.1, replacing an older one
MAX_LAST_WORDS = 200  # characters


def say(line: str) -> None:
    """Print a line for people on standard error; a closed terminal is ignored."""
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


class ChildOutput:
    """Reads a pipe without blocking; remembers the last line, to report how the child ended.

    `descriptor` is the reading end, owned and closed by this object; `log_file` may be None.
    """

    def __init__(self, name: str, descriptor: int, log_file: Path | None) -> None:
        self._name = name
        self._descriptor = descriptor
        self._log_file = log_file
        self._rest = b""
        self._last_line = ""
        os.set_blocking(descriptor, False)

    def fileno(self) -> int:
        """The descriptor to wait on, for a selector."""
        return self._descriptor

    def read(self) -> int | None:
        """Pass on what is there; return its size in bytes: 0 at the end, None if nothing came."""
        try:
            data = os.read(self._descriptor, MAX_LINE_BYTES)
        except BlockingIOError:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        self._pass_on(lines)
        return len(data)

    def close(self) -> str:
        """Read the rest, close the pipe, and return the last line, shortened."""
        # Bounded, because a process that the child left behind may write forever.
        for _ in range(64):
            if not self.read():
                break
        self._pass_on([self._rest])
        os.close(self._descriptor)
        return self._last_line[:MAX_LAST_WORDS]

    def _pass_on(self, raw_lines: list[bytes]) -> None:
        lines = [raw.decode(errors="replace").rstrip() for raw in raw_lines]
        lines = [line for line in lines if line]
        if not lines:
            return
        self._last_line = lines[-1]
        say("\n".join(f"{self._name} | {line}" for line in lines))
        if self._log_file is not None:
            with suppress(OSError):  # a full disk must not stop the children
                with self._log_file.open("a", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
                    size = file.tell()
                if size > MAX_FILE_BYTES:
                    self._log_file.replace(self._log_file.with_suffix(".log.1"))
