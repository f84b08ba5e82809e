"""LISTEN/NOTIFY: hints that wake waiters. Every waiter also polls slowly.

A notification may be lost (a listener dies silently with a restarted database), so it never carries
state: a woken waiter reads the pools. One notification a batch, never one a label: a notifying
commit takes a lock that all notifying commits share.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import psycopg
from django.db import connection

log = logging.getLogger(__name__)

CHANNEL: Final = "nowait"
Kind = Literal["labels", "model", "pool", "hungry", "ranked", "campaign", "people"]
NOTIFY: Final = "SELECT pg_notify('nowait', %(payload)s)"
_ALONE: Final = f"{NOTIFY}, set_config('synchronous_commit', 'off', true)"
"""A notification outside a transaction. Notifying commits wait for one another, and this one has no
data to make durable, so it does not wait for the disk."""


def payload(kind: Kind, campaign_id: int) -> str:
    """What a notification says: the kind of change and the campaign."""
    return f"{kind}:{campaign_id}"


def notify(kind: Kind, campaign_id: int) -> None:
    """Wake the waiters when the running transaction commits, or at once outside a transaction."""
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

    `options` are settings of the session (`-c name=value …`), appended to Django's own.
    """
    parameters: dict[str, Any] = connection.get_connection_params()
    for key in ("cursor_factory", "context", "prepare_threshold"):
        parameters.pop(key, None)
    if options:
        parameters["options"] = f"{parameters.get('options', '')} {options}".strip()
    return parameters


class Listener:
    """Waits for notifications on a connection of its own (blocking).

    Of one campaign, or of all with `campaign_id` None.
    """

    def __init__(self, campaign_id: int | None) -> None:
        self.campaign_id = campaign_id
        # (kind, campaign id) that came while the caller waited for other kinds.
        self._heard: set[tuple[str, int]] = set()
        self.connection: psycopg.Connection[Any] | None = None

    def wait(self, *kinds: Kind, seconds: float) -> bool:
        """Return True once one of `kinds` was notified, False after `seconds`.

        Notifications since the last wait for that kind count, too. A new or broken connection also
        returns True, because a notification may have been lost: the caller then reads the state.
        """
        heard = self.gather(seconds=seconds, enough=lambda kind, _: kind in kinds)
        if heard is None:
            return True
        wanted = {(kind, campaign) for kind, campaign in heard if kind in kinds}
        self._heard |= heard - wanted
        return bool(wanted)

    def gather(
        self, *, seconds: float, enough: Callable[[str, int], bool]
    ) -> set[tuple[str, int]] | None:
        """All that was notified, as (kind, campaign id), after `seconds` or once one is enough.

        None after a new or broken connection: anything may have been notified meanwhile.
        """
        ends = time.monotonic() + seconds
        try:
            if self.connection is None or self.connection.closed:
                self.connection = psycopg.connect(**connection_info(), autocommit=True)
                self.connection.execute(f"LISTEN {CHANNEL}")
                return None
            while (
                not any(enough(*each) for each in self._heard)
                and (left := ends - time.monotonic()) > 0
            ):
                self._hear(self.connection.notifies(timeout=left, stop_after=1))
            # Take all that has come: the caller reads the state once for all of it.
            self._hear(self.connection.notifies(timeout=0))
        except psycopg.OperationalError as error:
            log.warning("Lost the connection that listens: %s", str(error).strip())
            self.close()
            # The database may take a moment to come back.
            time.sleep(min(0.5, seconds))
            return None
        heard, self._heard = self._heard, set()
        return heard

    def _hear(self, notes: Iterable[psycopg.Notify]) -> None:
        for note in notes:
            kind, _, campaign = note.payload.partition(":")
            if campaign.isdecimal() and self.campaign_id in (None, int(campaign)):
                self._heard.add((kind, int(campaign)))

    def close(self) -> None:
        """Stop listening."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@contextmanager
def listening(campaign_id: int | None) -> Iterator[Listener]:
    """A listener that is closed at the end."""
    listener = Listener(campaign_id)
    try:
        yield listener
    finally:
        listener.close()
