"""Writes the security log: one JSON object a line, ASCII only, so that no input forges a line.

Actions of logged-in users go to `security.log`; what strangers cause goes to `strangers.log`, and
is only counted when too frequent. So no flood rotates a log-in or a change of rights out of its
file.
"""

import json
import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from annotator_site.network.addresses import network_of
from annotator_site.security.floods import Tally

PEOPLE: Final = logging.getLogger("nowait.security")
STRANGERS: Final = logging.getLogger("nowait.security.strangers")
LONGEST: Final = 300
"""Characters of a text that are kept; a request's path may have thousands."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, by user name (None: unknown), and from which address."""

    who: str | None
    address: str


NOBODY: Final = Actor(None, "")


def note(event: str, actor: Actor, **details: object) -> None:
    """Log an action of a user."""
    PEOPLE.info("%s", _line(event, actor, details))


def note_if_rare(event: str, actor: Actor, **details: object) -> None:
    """Log an action that a user can repeat at will; it is only counted when too frequent."""
    if _floods.take(PEOPLE, event, actor.who or ""):
        note(event, actor, **details)


def note_stranger(event: str, actor: Actor, **details: object) -> None:
    """Log what anybody can cause: ten events a minute per origin; the others are counted."""
    if _floods.take(STRANGERS, event, network_of(actor.address)):
        STRANGERS.info("%s", _line(event, actor, details))


def _line(event: str, actor: Actor, details: dict[str, object]) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    fields: dict[str, Any] = {"at": now, "event": event, "who": actor.who, "from": actor.address}
    fields.update(details)
    return json.dumps({name: _short(value) for name, value in fields.items()})


def _short(value: object) -> object:
    if isinstance(value, list):
        return [_short(each) for each in value]
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)[:LONGEST]


class _Floods:
    """Counts for both files, and logs the counts when a minute has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[logging.Logger, Tally] = {PEOPLE: Tally(), STRANGERS: Tally()}
        self._timers: dict[logging.Logger, threading.Timer] = {}

    def take(self, logger: logging.Logger, event: str, origin: str) -> bool:
        now = time.monotonic()
        with self._lock:
            tally = self._tallies[logger]
            if tally.ends_in(now) <= 0:
                self._tell(logger)
            told = tally.take(event, origin, now)
            if not told and logger not in self._timers:
                timer = threading.Timer(tally.ends_in(now), self.close, [logger])
                timer.daemon = True
                self._timers[logger] = timer
                timer.start()
            return told

    def close(self, logger: logging.Logger) -> None:
        """End the minute of one file."""
        with self._lock:
            self._tell(logger)

    def close_all(self) -> None:
        """End the minutes of both files."""
        for logger in self._tallies:
            self.close(logger)

    def _tell(self, logger: logging.Logger) -> None:
        if timer := self._timers.pop(logger, None):
            timer.cancel()
        counted = self._tallies[logger].close()
        for each in counted[:20]:
            _tell_count(logger, each.kind, each.origin, each.count)
        for kind in {each.kind for each in counted[20:]}:
            rest = sum(each.count for each in counted[20:] if each.kind == kind)
            _tell_count(logger, kind, "others", rest)


def _tell_count(logger: logging.Logger, kind: str, origin: str, count: int) -> None:
    details: dict[str, object] = {"more": count, "of": origin, "within_s": 60}
    logger.info("%s", _line(kind, NOBODY, details))


_floods: Final = _Floods()


def tell_counts() -> None:
    """Log the pending counts, before a process ends."""
    _floods.close_all()
