"""The program that decodes untrusted files, so that no file harms more than this process.

`python -m annotator_site.importing.decoder_child CPU_SECONDS MEMORY_BYTES`, with a socket as its
standard input. The protocol:

- The child answers that it is ready.
- The parent sends some files: their number in 4 bytes, the length of each in 8 bytes, the files.
- For each file the child answers with the length of a JSON object in 4 bytes, the object, and
  the display copy if the object names one.
- Before the child decodes a large picture it says so and waits for one byte; afterwards it says
  that the picture is decoded.

The child ends when the parent closes the socket, or when a file exceeds the limits.

No Django here, no database and no secret. The other end is `decoder.py`.
"""

import json
import resource
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from io import BufferedRWPair
from typing import Any, Final

from annotator_site.importing.image_files import BrokenImageError, inspect_image

OUT_OF_MEMORY: Final = 77
"""The exit status after a file that needed more memory than there is."""


def main() -> None:
    """Answer for files until the parent closes the socket."""
    cpu_seconds, memory_bytes = (int(argument) for argument in sys.argv[1:])
    _limit(resource.RLIMIT_AS, memory_bytes)
    # No part of a picture is ever written to a disk, not even by a crash.
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    with (
        suppress(ConnectionError),  # the parent is gone
        socket.socket(fileno=0) as parent,
        parent.makefile("rwb") as line,
    ):
        _say(line, {"ready": True})
        line.flush()
        while count := int.from_bytes(line.read(4)):
            lengths = [int.from_bytes(line.read(8)) for _ in range(count)]
            files = [line.read(length) for length in lengths]
            used = resource.getrusage(resource.RUSAGE_SELF)
            _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds)
            try:
                for data in files:
                    _answer(line, data)
            except MemoryError:
                sys.exit(OUT_OF_MEMORY)
            line.flush()


def _answer(line: BufferedRWPair, data: bytes) -> None:
    try:
        facts = inspect_image(data, while_large=_alone(line))
    except BrokenImageError as error:
        _say(line, {"broken": str(error)})
        return
    told = asdict(facts)
    copy = b""
    if facts.copy is not None:
        copy = told["copy"].pop("data")
        told["copy"]["size"] = len(copy)
    _say(line, told, copy)


@contextmanager
def _alone(line: BufferedRWPair) -> Iterator[None]:
    """Wait until no other child of the same parent decodes a large picture, then enter."""
    _say(line, {"large": True})
    line.flush()
    line.read(1)
    yield
    _say(line, {"decoded": True})
    line.flush()


def _say(line: BufferedRWPair, answer: dict[str, Any], copy: bytes = b"") -> None:
    told = json.dumps(answer).encode()
    line.write(len(told).to_bytes(4) + told + copy)


def _limit(kind: int, most: int) -> None:
    """Set a soft limit, where the system allows it: macOS refuses some of its own limits."""
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


if __name__ == "__main__":
    main()
