"""Admission of WebSockets: a place at the door, and refusals by 503, 429 and 426."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from django.db import Error as DatabaseError
from psycopg_pool import PoolTimeout

from annotator_site.accounts.models import User
from annotator_site.door import Door
from annotator_site.network.close_codes import CloseCode
from annotator_site.network.refusals import RefusedError

log = logging.getLogger(__name__)

Send = Callable[[Any], Awaitable[None]]

AWAY_RETRY_S: Final = 1
"""Retry-After while the database is away, in seconds."""
FULL_RETRY_S: Final = 5
"""Retry-After for a program with too many connections, in seconds."""


class Arrival:
    """A connection that is being admitted.

    It keeps its place at the door until the first event after the acceptance is sent: looking its
    user up and welcoming them costs the most.
    """

    def __init__(self, door: Door, send: Send) -> None:
        self._door = door
        self._send = send
        self._inside = False

    async def enter(self) -> None:
        """Wait for a place. Raises FullError."""
        await self._door.enter()
        self._inside = True

    def leave(self) -> None:
        """Give the place to the next arrival, once."""
        if self._inside:
            self._inside = False
            self._door.leave()

    async def send(self, event: Any) -> None:
        """Send an event; every event except an acceptance gives the place away."""
        await self._send(event)
        if self._inside and event["type"] != "websocket.accept":
            self.leave()


@contextmanager
def looking_up() -> Iterator[None]:
    """Turn database errors of the enclosed look-up into a RefusedError with status 503."""
    try:
        yield
    except (psycopg.Error, PoolTimeout, DatabaseError, OSError) as error:
        log.warning("The database is away: %s", " ".join(str(error).split()))
        words = "The database is away: try again in a moment."
        raise RefusedError(503, words, retry_after_s=AWAY_RETRY_S) from error


def too_many(user: User, limit: str) -> RefusedError:
    """The refusal (429) of a user at `limit`, in words; another web process may have room."""
    words = f"At most {limit}: close another one first."
    return RefusedError(
        429,
        words,
        name=user.get_username(),
        retry_after_s=FULL_RETRY_S,
        close_code=CloseCode.TOO_MANY_CONNECTIONS,
    )


def let_in(scope: Any) -> None:
    """Admit a WebSocket. Raises RefusedError (426) for a page that only asks whether it may."""
    if scope["type"] != "websocket":
        raise RefusedError(426, "You may come in here: open a WebSocket.")
