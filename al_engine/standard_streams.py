"""End a program quietly, or with one line, when its output cannot be written.

Otherwise Python prints a traceback, or reports the failure only at exit. Pure Python.
"""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper

from al_engine.outputs import STDOUT, OutputError, ReaderGone, failures_of


class StandardOutput(TextIOWrapper):
    """Standard output whose write failures can be told apart from all other errors.

    Writing and flushing raise OutputError, or ReaderGone once the reader has closed the pipe.
    """

    def write(self, text: str) -> int:
        """Write a text."""
        with failures_of(STDOUT):
            return super().write(text)

    def flush(self) -> None:
        """Write what is still buffered."""
        with failures_of(STDOUT):
            super().flush()


@contextmanager
def standard_streams() -> Iterator[None]:
    """Context that a whole program runs in.

    If the reader of standard output goes away (`| head`), the program ends silently, and that is no
    failure. Any other failure of standard output, including one closed at the start, prints one
    line and raises SystemExit with 1, or with the program's own nonzero status. Standard error may
    be closed; if its reader goes away, the program ends with 141 (128 + SIGPIPE), as in a shell.
    """
    _open_streams()
    end: SystemExit | None = None
    try:
        try:
            yield
        except SystemExit as asked:
            end = asked
        # Python's own flush at exit is too late to handle a failure.
        sys.stdout.flush()
    except ReaderGone:
        _close_streams()
    except OutputError as error:
        with suppress(OSError):
            print("nowait:", error, file=sys.stderr)
        _close_streams()
        end = end if end and end.code else SystemExit(1)
    except BrokenPipeError:
        if not _nobody_reads_errors():
            raise
        _close_streams()
        end = SystemExit(128 + signal.SIGPIPE)
    if end is not None:
        raise end


def _open_streams() -> None:
    if sys.stdout is None:
        _occupy(1, os.O_RDONLY)
        sys.stdout = StandardOutput(os.fdopen(1, "wb"))
    else:
        old = sys.stdout
        sys.stdout = StandardOutput(
            old.buffer, old.encoding, old.errors, line_buffering=bool(old.line_buffering)
        )
    if sys.stderr is None:
        _occupy(2, os.O_WRONLY)
        sys.stderr = os.fdopen(2, "w")


def _close_streams() -> None:
    """Point both streams at the null device, so that buffered data cannot fail again at exit."""
    _occupy(1, os.O_WRONLY)
    _occupy(2, os.O_WRONLY)


def _occupy(descriptor: int, flags: int) -> None:
    """Open the null device at this descriptor, so that no other file gets its number."""
    null = os.open(os.devnull, flags)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


def _nobody_reads_errors() -> bool:
    waiting = select.poll()
    waiting.register(2, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in waiting.poll(0))
