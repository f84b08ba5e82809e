"""One child process that decodes untrusted files, and the socket to it; see `decoders.py`."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Final

from annotator_site.importing.decoding_work import MAX_SIDE
from annotator_site.importing.display_copies import DisplayCopy
from annotator_site.importing.file_names import display_name
from annotator_site.importing.image_files import (
    EXTENSIONS,
    MAX_FILE_BYTES,
    BrokenImageError,
    ImageFacts,
)

_ROOT: Final = Path(__file__).resolve().parents[2]
_PROGRAM: Final = "annotator_site.importing.decoder_child"
# Variables by which Python and its libraries are found; none of them holds keys or passwords.
_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
_ENVIRONMENT_BEGINS: Final = ("PYTHON", "LD_", "DYLD_", "LC_")
_START_PATIENCE_S: Final = 60.0
# A process closes its end of the socket before it has an exit status.
_LAST_WORDS_S: Final = 5.0
_MAX_ANSWER_BYTES: Final = 4096
_PIECE_BYTES: Final = 64 * 1024


class DecoderNotStarted(OSError):
    """No child process can be started: the fault of the machine, not of a file."""


class DecoderDied(Exception):
    """The child ended at a file, or was ended for a wrong answer; `status` as in `Popen`."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Limits:
    """What decoding one file may cost, far above what any usual picture needs."""

    cpu_seconds: int = 30
    seconds: float = 120.0
    memory_bytes: int = 2 * 1024**3
    """Address space (RLIMIT_AS); the program itself takes about 100 MB of it."""


Verdict = ImageFacts | BrokenImageError
"""The facts about a usable picture, or the reason why a file is not usable."""


class Decoder:
    """A child process that decodes, for one thread at a time; any thread may call `kill`."""

    def __init__(self, limits: Limits, large: Lock) -> None:
        """Start the child. `large`: held while a large picture is decoded.

        Raises DecoderNotStarted, or another OSError.
        """
        self._seconds = limits.seconds
        self._large = large
        self._until = 0.0
        self._came = bytearray()
        self._line, theirs = socket.socketpair()
        arguments = (str(limits.cpu_seconds), str(limits.memory_bytes))
        try:
            with theirs:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", _PROGRAM, *arguments],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    cwd=_ROOT,
                    env=_environment(),
                    # In its own process group: Ctrl-C reaches the parent, which ends the child.
                    process_group=0,
                )
        except OSError:
            self._line.close()
            raise
        try:
            self._begin(_START_PATIENCE_S)
            self._read_answer()
        except (OSError, EOFError, ValueError) as error:
            status = self.end(_LAST_WORDS_S)
            raise DecoderNotStarted(
                f"the program that decodes pictures does not start, it ended with {status}"
            ) from error

    def inspect(self, files: Sequence[bytes]) -> list[Verdict]:
        """The verdicts on some files, which together have the limits of one file.

        Raises TimeoutError and DecoderDied; after either, this decoder cannot be used any more.
        """
        try:
            return list(self._ask(files))
        except (ConnectionError, EOFError, ValueError, LookupError, TypeError) as error:
            raise DecoderDied(self.end(_LAST_WORDS_S)) from error

    def kill(self) -> None:
        """Kill the process and wait for its end; the socket stays open."""
        self.process.kill()
        self.process.wait()

    def end(self, patience_s: float = 0.0) -> int:
        """End the process and close the socket; returns the exit status.

        The process has `patience_s` seconds to exit by itself, then it is killed.
        """
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_s)
        self.process.kill()
        self._line.close()
        return self.process.wait()

    def _ask(self, files: Sequence[bytes]) -> Iterator[Verdict]:
        self._begin(self._seconds)
        lengths = [len(data).to_bytes(8) for data in files]
        self._write(b"".join([len(files).to_bytes(4), *lengths, *files]))
        for _ in files:
            answer = self._read_answer()
            if "large" in answer:
                with self._large:
                    self._begin(self._seconds)
                    self._write(b"!")
                    answer = self._read_answer()
                if "decoded" in answer:
                    answer = self._read_answer()
            yield self._verdict(answer)

    def _verdict(self, answer: dict[str, Any]) -> Verdict:
        """The verdict in an answer, checked: a malicious file may control the child."""
        if "broken" in answer:
            return BrokenImageError(display_name(str(answer["broken"])))
        copy = None
        if (told := answer["copy"]) is not None:
            size = _number(told["size"], MAX_FILE_BYTES)
            copy = DisplayCopy(self._read(size), **_shape(told))
        return ImageFacts(**_shape(answer), copy=copy)

    def _read_answer(self) -> dict[str, Any]:
        size = int.from_bytes(self._read(4))
        answer = json.loads(self._read(_number(size, _MAX_ANSWER_BYTES)))
        if not isinstance(answer, dict):
            raise ValueError("an answer that is no object")
        return answer

    def _read(self, size: int) -> bytes:
        while len(self._came) < size:
            self._be_in_time()
            piece = self._line.recv(_PIECE_BYTES)
            if not piece:
                raise EOFError("the child is gone")
            self._came += piece
        data = bytes(self._came[:size])
        del self._came[:size]
        return data

    def _write(self, data: bytes) -> None:
        self._be_in_time()
        self._line.sendall(data)

    def _begin(self, seconds: float) -> None:
        self._until = monotonic() + seconds

    def _be_in_time(self) -> None:
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)


def _shape(told: dict[str, Any]) -> dict[str, Any]:
    extension = told["extension"]
    if extension not in EXTENSIONS.values():
        raise ValueError("an unknown extension")
    width, height = (_number(told[side], MAX_SIDE) for side in ("width", "height"))
    return {"extension": extension, "width": width, "height": height}


def _number(told: object, most: int) -> int:
    if not isinstance(told, int) or not 0 < told <= most:
        raise ValueError("a number that cannot be")
    return told


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in _ENVIRONMENT or name.startswith(_ENVIRONMENT_BEGINS)
    } | {"OPENBLAS_NUM_THREADS": "1"}
