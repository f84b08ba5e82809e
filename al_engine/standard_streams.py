"""How a program ends when what it prints cannot be written: quietly, or in one line.

Python tells of it in a traceback, or only once the program is over. Pure Python.
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
    """What programs read of a command; its failures are told from all others.

    Whatever writes or flushes raises OutputError, and ReaderGone where nobody reads any more.
    """

    def write(self, text: str) -> int:
        """Write a text."""
        with failures_of(STDOUT):
            return super().write(text)

    def flush(self) -> None:
        """Write what is still in the memory."""
        with failures_of(STDOUT):
            super().flush()


@contextmanager
def standard_streams() -> Iterator[None]:
    """What the whole of a program runs in.

    Where nobody reads standard output any more (`| head`) the program ends without a word, and that
    is no failure. Any other failure of it, closed from the beginning included, is a line, and
    SystemExit with 1. Standard error may be closed; where nobody reads it any more the program
    ends with 141, as the shell has it of others.
    """
    _open_streams()
    end: SystemExit | None = None
    try:
        try:
            yield
        except SystemExit as asked:
            end = asked
        # Else Python would do so once nobody can tell of a failure any more.
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
    """What is still in the memory shall not fail once more when Python ends."""
    _occupy(1, os.O_WRONLY)
    _occupy(2, os.O_WRONLY)


def _occupy(descriptor: int, flags: int) -> None:
    """Have the null device at this descriptor, so that it becomes no other file's."""
    null = os.open(os.devnull, flags)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


def _nobody_reads_errors() -> bool:
    waiting = select.poll()
    waiting.register(2, 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in waiting.poll(0))
