"""Classifies errors of the labeling path, and paces and logs repeated failures.

A message is refused for good only when its own values are proven to be at fault
(`transaction.values_are_at_fault`). After any other error it is kept and tried again.
"""

import logging
import random
import time
from typing import Final

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.05
LONGEST_PAUSE_SECONDS: Final = 1.0
"""People wait for a database that is back no longer than this."""
_SAID_AGAIN_SECONDS: Final = 30.0
_CALM_SECONDS: Final = 5.0
"""A failure sooner than this after a success belongs to the same trouble."""
_DIVIDED_EVERY: Final = 8

# Classes of SQLSTATE (docs: “PostgreSQL Error Codes”), and one code.
_OF_VALUES: Final = ("22", "23")
_EVERYBODYS: Final = ("08", "25", "28", "3D", "53", "57", "58", "F0")
_HARMLESS: Final = (*_OF_VALUES, "40", "55")
_CANCELED: Final = "57014"  # of one statement, by its own timeout


class InDoubt(Exception):
    """Earlier commits may be lost with their server, and are done again first."""


def is_everybodys(error: BaseException) -> bool:
    """Whether the error is surely no message's fault: no connection, a server that cannot write."""
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        return state is None or (state[:2] in _EVERYBODYS and state != _CANCELED)
    return isinstance(error, OSError | InDoubt)


def may_be_of_values(error: BaseException) -> bool:
    """Whether the database may have refused a message's values.

    Not a unique violation: a message that comes twice causes none, and a race of two processes
    passes the next time.
    """
    if not isinstance(error, psycopg.Error) or isinstance(error, psycopg.errors.UniqueViolation):
        return False
    return (error.sqlstate or "")[:2] in _OF_VALUES


def spoils_connection(error: psycopg.Error) -> bool:
    """Whether the next transaction is better done over another connection.

    What a database session learned when it began may be outdated: that it is read-only, or what a
    table looked like before a migration.
    """
    state = error.sqlstate or ""
    return not state.startswith(_HARMLESS) and state != _CANCELED


def is_unsure(error: BaseException) -> bool:
    """Whether the transaction may be committed despite the error: the connection broke in it."""
    if isinstance(error, PoolTimeout | PoolClosed | InDoubt):
        return False  # it never began
    return not isinstance(error, psycopg.Error) or error.sqlstate is None


def in_one_line(error: BaseException) -> str:
    """The error for a log, with its SQLSTATE if it has one."""
    if isinstance(error, psycopg.Error) and error.sqlstate:
        # Without the lines of context that PostgreSQL adds.
        words = error.diag.message_primary or str(error)
        return f"{type(error).__name__} {error.sqlstate}: {' '.join(words.split())}"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class Trouble:
    """Repeated failures: paces them, and logs their beginning, their end, and some in between."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.failures = 0
        self._began = 0.0
        self._ended = -_CALM_SECONDS
        # When each kind of error was logged last.
        self._told: dict[str, float] = {}

    def failed(self, error: BaseException) -> float:
        """Record a failure; returns the seconds to wait before the next try."""
        now = time.monotonic()
        if not self.failures:
            self._began = now
            if now - self._ended >= _CALM_SECONDS:
                self._told.clear()
        self.failures += 1
        kind = type(error).__name__
        if now - self._told.get(kind, -_SAID_AGAIN_SECONDS) >= _SAID_AGAIN_SECONDS:
            self._told[kind] = now
            # Django's errors have PostgreSQL's as their cause.
            foreseen = psycopg.Error | OSError | InDoubt
            expected = isinstance(error, foreseen) or isinstance(error.__cause__, psycopg.Error)
            log.warning(
                "%s, and is tried again until it works (%d failures in %.1f s): %s",
                *(self.what, self.failures, now - self._began, in_one_line(error)),
                exc_info=None if expected else error,
            )
        # At most 20 doublings, so that the power does not overflow.
        doubled = _FIRST_PAUSE_SECONDS * 2.0 ** min(self.failures - 1, 20)
        pause = min(doubled, LONGEST_PAUSE_SECONDS)
        # Jitter, so that desks that failed together do not come back together; not a secret.
        return pause * random.uniform(0.5, 1.0)  # noqa: S311

    @property
    def is_to_be_divided(self) -> bool:
        """Whether to look for a culprit although the error seems to be everybody's.

        True once in _DIVIDED_EVERY failures: one message that makes the server fail must not hold
        up everybody else's messages.
        """
        return self.failures % _DIVIDED_EVERY == _DIVIDED_EVERY - 1

    def over(self) -> None:
        """Record a success."""
        if not self.failures:
            return
        self._ended = time.monotonic()
        # Log the end only if the beginning was logged.
        if any(told >= self._began for told in self._told.values()):
            log.warning(
                "%s no more, after %d failures in %.1f s.",
                *(self.what, self.failures, self._ended - self._began),
            )
        self.failures = 0
