"""One process that decodes files of strangers, and the line to it; see `decoders.py`."""

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
# What Python and its libraries need to be found; keys and passwords are in other variables.
_ENVIRONMENT: Final = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
_ENVIRONMENT_BEGINS: Final = ("PYTHON", "LD_", "DYLD_", "LC_")
_START_PATIENCE_S: Final = 60.0
# A process lets go of the line before it is over.
_LAST_WORDS_S: Final = 5.0
_MAX_ANSWER_BYTES: Final = 4096
_PIECE_BYTES: Final = 64 * 1024


class DecoderNotStarted(OSError):
    """No process can be started: the machine's fault, and no file's."""


class DecoderDied(Exception):
    """The process ended at a file; `status` as `Popen.returncode` has it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Limits:
    """What decoding one file may cost, far above what any usual picture does."""

    cpu_seconds: int = 30
    seconds: float = 120.0
    memory_bytes: int = 2 * 1024**3
    """Of addresses, a hundred MB of which the program itself takes."""


Verdict = ImageFacts | BrokenImageError
"""What a file is, or why it is of no use."""


class Decoder:
    """A process that decodes, for one thread at a time; `kill` is for any."""

    def __init__(self, limits: Limits, large: Lock) -> None:
        """`large`: held while a large picture is decoded. Raises DecoderNotStarted, OSError."""
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
                    # A group of its own: Ctrl-C reaches this process only, which ends it then.
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
        """What the process says of some files, which have the limits of one together.

        Raises TimeoutError and DecoderDied; then it is of no use any more.
        """
        try:
            return list(self._ask(files))
        except (ConnectionError, EOFError, ValueError, LookupError, TypeError) as error:
            raise DecoderDied(self.end(_LAST_WORDS_S)) from error

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()

    def end(self, patience_s: float = 0.0) -> int:
        """End the process and the line to it; its exit status, its own if it ends in time."""
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
        """What an answer says, checked: the process may do what a file made it do."""
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
