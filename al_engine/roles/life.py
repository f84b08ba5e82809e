"""Staying alive: heartbeats from a thread, and steps that survive a database restart."""

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Self

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from al_engine.pools import processes
from al_engine.pools.processes import Part, Superseded

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 2.0
_PAUSE_SECONDS: Final = 0.5


class Heartbeat:
    """Says every two seconds that these parts are alive, whatever the main thread does.

    `also` runs after each beat in the same thread: a worker renews its cells there.
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
                for part in self.parts:
                    processes.report(process_id=part.id, error=traceback.format_exc(limit=-8))
            processes.retire(parts=self.parts)

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                close_old_connections()
                processes.heartbeat(parts=self.parts)
                if self.also is not None:
                    self.also()
            except (OperationalError, InterfaceError) as error:
                log.warning("No heartbeat: %s", " ".join(str(error).split()))
                connection.close()
            except Superseded as error:
                log.error("%s This one ends.", error)
                # The main thread may be deep in a training: only the process as a whole ends.
                os._exit(3)
        connection.close()


def forever(step: Callable[[], None]) -> None:
    """Repeat `step`; where the database is away, say so and try again until it is back."""
    while True:
        try:
            step()
        except (OperationalError, InterfaceError) as error:
            log.warning("Waiting for the database: %s", " ".join(str(error).split()))
            connection.close()
            time.sleep(_PAUSE_SECONDS)
