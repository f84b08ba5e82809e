"""LISTEN/NOTIFY: hints that wake waiters. Every waiter also polls slowly.

A notification may be lost (a listener dies silently with a restarted database), so it never
carries state: whoever is woken reads the pools. One notification a batch, never one a label:
a notifying commit takes a lock that all commits share.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import psycopg
from django.db import connection

log = logging.getLogger(__name__)

CHANNEL: Final = "nowait"
Kind = Literal["labels", "model", "pool", "hungry", "ranked", "campaign"]
NOTIFY: Final = "SELECT pg_notify('nowait', %(payload)s)"
_ALONE: Final = f"{NOTIFY}, set_config('synchronous_commit', 'off', true)"
"""Commits that notify wait for one another, and this one has nothing to bring to the disk."""


def payload(kind: Kind, campaign_id: int) -> str:
    """What a notification says: the kind of change and the campaign."""
    return f"{kind}:{campaign_id}"


def notify(kind: Kind, campaign_id: int) -> None:
    """Wake the waiters once the running transaction commits; at once where none runs."""
    with connection.cursor() as cursor:
        cursor.execute(
            NOTIFY if connection.in_atomic_block else _ALONE,
            {"payload": payload(kind, campaign_id)},
        )


async def notify_over(conn: psycopg.AsyncConnection[Any], *, kind: Kind, campaign_id: int) -> None:
    """Wake the waiters over an open connection, as `notify` does."""
    await conn.execute(NOTIFY, {"payload": payload(kind, campaign_id)})


def connection_info(options: str = "") -> dict[str, Any]:
    """Keyword arguments with which psycopg connects to Django's database.

    `options` are settings of the session (`-c name=value …`), after those that Django has.
    """
    parameters: dict[str, Any] = connection.get_connection_params()
    for key in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(key, None)
    if options:
        parameters["options"] = f"{parameters.get('options', '')} {options}".strip()
    return parameters


class Listener:
    """Waits for notifications of one campaign on a connection of its own (blocking)."""

    def __init__(self, campaign_id: int) -> None:
        self.campaign_id = campaign_id
        # Heard while something else was waited for.
        self._heard: set[str] = set()
        self.connection: psycopg.Connection[Any] | None = None

    def wait(self, *kinds: Kind, seconds: float) -> bool:
        """Return true once one of `kinds` was notified, false after `seconds`.

        What was notified since the last wait for it counts, too. A broken connection counts as a
        notification, since one may have been lost: it is made anew, listening first, and the
        caller reads the state.
        """
        wanted = {payload(kind, self.campaign_id) for kind in kinds}
        ends = time.monotonic() + seconds
        try:
            if self.connection is None or self.connection.closed:
                self.connection = psycopg.connect(**connection_info(), autocommit=True)
                self.connection.execute(f"LISTEN {CHANNEL}")
                return True
            while not self._heard & wanted and (left := ends - time.monotonic()) > 0:
                self._hear(self.connection.notifies(timeout=left, stop_after=1))
            # All that is there by now is answered by one look at the state.
            self._hear(self.connection.notifies(timeout=0))
        except psycopg.OperationalError as error:
            log.warning("Lost the connection that listens: %s", str(error).strip())
            self.close()
            # The database may take a moment to come back.
            time.sleep(min(0.5, seconds))
            return True
        heard = bool(self._heard & wanted)
        self._heard -= wanted
        return heard

    def _hear(self, notes: Iterable[psycopg.Notify]) -> None:
        mine = f":{self.campaign_id}"
        self._heard |= {note.payload for note in notes if note.payload.endswith(mine)}

    def close(self) -> None:
        """Stop listening."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@contextmanager
def listening(campaign_id: int) -> Iterator[Listener]:
    """A listener that is closed at the end."""
    listener = Listener(campaign_id)
    try:
        yield listener
    finally:
        listener.close()
