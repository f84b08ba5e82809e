"""Outputs of commands: files that appear whole or not at all, pipes, devices, descriptors.

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
"""The limit of Linux."""


class OutputError(Exception):
    """An output cannot be written; the message names it and says why, in one line."""


class ReaderGone(OutputError):
    """The reader of a pipe closed it before everything was written."""


def is_plain_file(target: str) -> bool:
    """Whether the target is, or would become, an ordinary file.

    False for standard output, pipes, devices and descriptors of a process. Raises OutputError for a
    folder and for a loop of links.
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
    """Open `target`, a path or - for standard output, to write bytes.

    An ordinary file is written under a temporary name, synced to disk and then renamed, with the
    permissions of the file it replaces; if anything fails, the old file stays. Links are followed.
    A pipe, a device or a descriptor of this process (/dev/stdout, /dev/fd/3) is written directly.
    Raises OutputError, or ReaderGone for a pipe whose reader has gone. Any OSError inside the block
    is raised as a failure of the target.
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
    """Raise any OSError inside the block as an OutputError about the target."""
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
    """Duplicate a descriptor, so that writing continues at its present position.

    Opened again by its path, a file that the shell appends to would be overwritten from the start,
    and a socket cannot be opened at all.
    """
    standard = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    closed = descriptor < len(standard) and standard[descriptor] is None
    # A descriptor that was closed at the start may be the database connection by now.
    if closed or not os.get_inheritable(descriptor):
        raise _error(errno.EBADF)
    return os.fdopen(os.dup(descriptor), "wb")


@contextmanager
def _whole_file(place: Path) -> Iterator[BinaryIO]:
    before = place.stat() if place.exists() else None
    if before is not None:
        # Fail if the file is read-only: the folder's permissions may still allow its replacement.
        os.close(os.open(place, os.O_WRONLY))
    # Not derived from the name, which may have the maximal length already.
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
    """Follow a path's links; for /dev/stdout and the like, stop at the descriptor's own entry."""
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
    """The id of the process whose open descriptor a path names; 0 if it names none."""
    folder = os.path.realpath(place.parent)
    if not place.name.isdecimal():
        return 0
    if folder == "/dev/fd":  # a real folder on systems without /proc
        return os.getpid()
    found = _DESCRIPTORS.fullmatch(folder)
    return int(found[1]) if found else 0


def _error(number: int) -> OSError:
    """The OSError that the system raises for an errno, of the matching subclass."""
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
