"""How a WebSocket comes in through the door."""

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
"""While the database is away."""
FULL_RETRY_S: Final = 5
"""Of a program with too many connections."""


class Arrival:
    """A connection on its way in: it keeps its place at the door until it has been told something.

    Until then it costs the most: somebody is looked up, and welcomed.
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
        """Give the place to the next, if it was not given yet."""
        if self._inside:
            self._inside = False
            self._door.leave()

    async def send(self, event: Any) -> None:
        """Send as the server does; what is not an acceptance alone ends the arrival."""
        await self._send(event)
        if self._inside and event["type"] != "websocket.accept":
            self.leave()


@contextmanager
def looking_up() -> Iterator[None]:
    """While somebody is looked up: a database that is away is a reason to come again (503)."""
    try:
        yield
    except (psycopg.Error, PoolTimeout, DatabaseError, OSError) as error:
        log.warning("The database is away: %s", " ".join(str(error).split()))
        words = "The database is away: try again in a moment."
        raise RefusedError(503, words, retry_after_s=AWAY_RETRY_S) from error


def too_many(user: User, limit: str) -> RefusedError:
    """Somebody has as many connections as `limit` says; another web process may have fewer."""
    words = f"At most {limit}: close another one first."
    return RefusedError(
        429,
        words,
        name=user.get_username(),
        retry_after_s=FULL_RETRY_S,
        close_code=CloseCode.TOO_MANY_CONNECTIONS,
    )


def let_in(scope: Any) -> None:
    """Somebody may open a WebSocket here. Raises RefusedError where a page only asks (426)."""
    if scope["type"] != "websocket":
        raise RefusedError(426, "You may come in here: open a WebSocket.")
