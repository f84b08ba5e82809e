"""Where commands write to: a file that appears whole or not at all, a pipe, device or descriptor.

Pure Python, for the commands of the engine and of the site.
"""

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

STDOUT: Final = "-"
_DESCRIPTORS: Final = re.compile(r"/proc/(\d+)/(?:task/\d+/)?fd")
_MAX_LINKS_FOLLOWED: Final = 40
"""As many as Linux follows."""


class OutputError(Exception):
    """An output cannot be written; the message says in one line which and why."""


class ReaderGone(OutputError):
    """Whoever read the pipe has closed it before its end."""


def is_plain_file(target: str) -> bool:
    """Whether the target is, or would become, an ordinary file with a place of its own.

    Raises OutputError for a folder and for links that lead nowhere.
    """
    if target == STDOUT:
        return False
    try:
        place = _behind_links(target)
        return not _of_a_process(place) and (not place.exists() or place.is_file())
    except OSError as error:
        raise _refusal(target, error) from error


@contextmanager
def open_output(target: str) -> Iterator[BinaryIO]:
    """A file open for writing bytes: `target` is a path, or - for standard output.

    An ordinary file appears under its name, with the rights of the one it replaces, once it is
    complete and on the disk, or not at all; of a link, what it leads to is written. A pipe, a
    device or one of this process's own descriptors (/dev/stdout, /dev/fd/3) is written as it is.
    Raises OutputError, and ReaderGone where it is a pipe that nobody reads any more. A failure of
    the system while the block runs counts as one of the target.
    """
    with failures_of(target):
        if target == STDOUT:
            opened = _copy_of(1)
        elif is_plain_file(target):
            with _whole_file(_behind_links(target)) as file:
                yield file
            return
        else:
            opened = _open_as_it_is(_behind_links(target))
        with opened as file:
            yield file


@contextmanager
def failures_of(target: str) -> Iterator[None]:
    """A failure of the system counts as one of the target."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone(f"{_name(target)}: nobody reads it any more; it is cut short.") from error
    except OSError as error:
        raise _refusal(target, error) from error


def _open_as_it_is(place: Path) -> BinaryIO:
    if _of_a_process(place) == os.getpid():
        return _copy_of(int(place.name))
    return os.fdopen(os.open(place, os.O_WRONLY), "wb")


def _copy_of(descriptor: int) -> BinaryIO:
    """The same descriptor once more.

    It writes on where it stands: opened anew by a path, a file that the shell appends to would be
    cut, and a socket cannot be opened at all.
    """
    standard = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    closed = descriptor < len(standard) and standard[descriptor] is None
    # What was closed when the program began may be its connection to the database by now.
    if closed or not os.get_inheritable(descriptor):
        raise _error(errno.EBADF)
    return os.fdopen(os.dup(descriptor), "wb")


@contextmanager
def _whole_file(place: Path) -> Iterator[BinaryIO]:
    before = place.stat() if place.exists() else None
    if before is not None:
        # Its folder may let it be replaced although its own rights say that it stays as it is.
        os.close(os.open(place, os.O_WRONLY))
    # Not made of the name itself, which may be as long as names can be.
    part = place.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            if before is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            os.fsync(file.fileno())
        part.replace(place)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _behind_links(target: str) -> Path:
    """What a path leads to; of /dev/stdout and its like, the entry of the descriptor itself."""
    if not target or target.endswith("/"):
        raise _error(errno.EISDIR)
    place = Path(target)
    for _ in range(_MAX_LINKS_FOLLOWED):
        if _of_a_process(place) or not place.is_symlink():
            break
        place = place.parent / place.readlink()
    else:
        raise _error(errno.ELOOP)
    if place.is_dir():
        raise _error(errno.EISDIR)
    return place


def _of_a_process(place: Path) -> int:
    """The process whose open descriptor a path names; 0 where it names none."""
    folder = os.path.realpath(place.parent)
    if not place.name.isdecimal():
        return 0
    if folder == "/dev/fd":  # a folder of its own where the system has no /proc
        return os.getpid()
    found = _DESCRIPTORS.fullmatch(folder)
    return int(found[1]) if found else 0


def _error(number: int) -> OSError:
    """As the system would raise it: of the class that belongs to the number."""
    return OSError(number, os.strerror(number))


def _refusal(target: str, error: OSError) -> OutputError:
    if isinstance(error, IsADirectoryError):
        return OutputError(f"{_name(target)} is a folder: name a file.")
    words = f"{_name(target)} cannot be written ({error.strerror})"
    if target == STDOUT:
        return OutputError(f"{words}.")
    return OutputError(f"{words}: is the folder there, is there room, may you write there?")


def _name(target: str) -> str:
    return "standard output" if target == STDOUT else f"--output {target}"
