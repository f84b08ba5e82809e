"""The life of a process: heartbeats, steps that survive a database restart, signals to end."""

import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Self, TypeVar

from django.db import Error as DatabaseError
from django.db import (
    InterfaceError,
    InternalError,
    OperationalError,
    close_old_connections,
    connection,
)

from al_engine.pools import processes
from al_engine.pools.processes import Part, Superseded
from al_engine.pools.storage import StorageAway

log = logging.getLogger(__name__)

UNAVAILABLE: Final = (OperationalError, InterfaceError, InternalError)
"""Errors of a database that is away or for a moment read-only, as in a failover."""

BEAT_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.5
T = TypeVar("T")


class Ending:
    """SIGTERM as a request that is checked between two steps; enter it in the main thread.

    SIGUSR1 also ends the process, but work under way, such as a training, is finished first.

    The signal handler raises no exception: raised while torch loads, it would be swallowed or leave
    modules broken, and the process would live on.
    """

    def __init__(self, *, parent: int | None = None) -> None:
        """With `parent`, a process id, this process ends when its parent is another process."""
        self._told = threading.Event()
        self._drains = False
        self._parent = parent

    def __enter__(self) -> Self:
        self._previous = signal.signal(signal.SIGTERM, lambda *_: self._told.set())
        signal.signal(signal.SIGUSR1, lambda *_: self._drain())
        return self

    def __exit__(self, *_: object) -> None:
        # Ignore SIGTERM once shutting down.
        signal.signal(signal.SIGTERM, signal.SIG_IGN if self.told() else self._previous)

    def told(self) -> bool:
        """Whether this process must end now, without finishing its present work."""
        return self._told.is_set()

    def check(self) -> None:
        """Raise SystemExit if this process is to end."""
        if self.told():
            raise SystemExit(128 + signal.SIGTERM)
        if self._drains or (self._parent is not None and os.getppid() != self._parent):
            raise SystemExit(0)

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`, or as soon as SIGTERM arrives."""
        self._told.wait(seconds)

    def _drain(self) -> None:
        self._drains = True

    def patiently(self, act: Callable[[], T]) -> T:
        """The result of `act`, retried while the database or the storage is away.

        Raises SystemExit if this process is to end.
        """
        while True:
            self.check()
            try:
                return act()
            except UNAVAILABLE as error:
                log.warning("Waiting for the database: %s", " ".join(str(error).split()))
                connection.close()
                self.sleep(_PAUSE_SECONDS)
            except StorageAway as error:
                log.warning("Waiting for the storage: %s", error)
                self.sleep(_PAUSE_SECONDS)

    def repeat(self, step: Callable[[], None]) -> None:
        """Repeat `step`, each time by `patiently`, until SystemExit."""
        while True:
            self.patiently(step)


@contextmanager
def telling(parts: Sequence[Part]) -> Iterator[None]:
    """Report an exception that ends this process as the last error of these parts."""
    try:
        yield
    except Exception:
        with suppress(DatabaseError):
            connection.close()
            _report_error(parts)
        raise


def _report_error(parts: Sequence[Part]) -> None:
    for part in parts:
        processes.report(process_id=part.id, error=traceback.format_exc(limit=-8))


class Heartbeat:
    """Reports every two seconds that these parts are alive, in a thread of its own.

    `also` runs after each beat in that thread: workers renew their cells there.
    """

    def __init__(self, parts: Sequence[Part], also: Callable[[], None] | None = None) -> None:
        self.parts = parts
        self.also = also
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, tb: object) -> None:
        self._stop.set()
        self._thread.join(timeout=BEAT_SECONDS)
        with suppress(DatabaseError):
            connection.close()
            if kind is not None and not issubclass(kind, (SystemExit, KeyboardInterrupt)):
                _report_error(self.parts)
            processes.retire(parts=self.parts)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                close_old_connections()
                processes.heartbeat(parts=self.parts)
                if self.also is not None:
                    self.also()
            except UNAVAILABLE as error:
                log.warning("No heartbeat: %s", " ".join(str(error).split()))
                connection.close()
            except Superseded as error:
                log.error("%s This one ends.", error)
                # The main thread may be in a training, so end the whole process from here.
                os._exit(3)
        connection.close()
