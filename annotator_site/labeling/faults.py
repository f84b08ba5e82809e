"""What an error of the labeling path proves, and how its repetition is paced and told.

A message is refused for good only when its own values are proven to be at fault
(`transaction.values_are_at_fault`). Whatever else goes wrong, it is kept and tried again.
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
"""What fails again sooner is the same trouble, which comes and goes."""
_DIVIDED_EVERY: Final = 8

# Classes of SQLSTATE (docs: “PostgreSQL Error Codes”), and one code.
_OF_VALUES: Final = ("22", "23")
_EVERYBODYS: Final = ("08", "25", "28", "3D", "53", "57", "58", "F0")
_HARMLESS: Final = (*_OF_VALUES, "40", "55")
_CANCELED: Final = "57014"  # of one statement, by its own timeout


class InDoubt(Exception):
    """What was committed before may be lost with its server, and is done again first."""


def is_everybodys(error: BaseException) -> bool:
    """Whether it surely is about no message: no connection, a server that refuses to write."""
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        return state is None or (state[:2] in _EVERYBODYS and state != _CANCELED)
    return isinstance(error, OSError | InDoubt)


def may_be_of_values(error: BaseException) -> bool:
    """Whether a message's values can be what the database refuses.

    Not two of the same that meet: a message that comes twice is none of those, and what two
    processes do at once passes the next time.
    """
    if not isinstance(error, psycopg.Error) or isinstance(error, psycopg.errors.UniqueViolation):
        return False
    return (error.sqlstate or "")[:2] in _OF_VALUES


def spoils_connection(error: psycopg.Error) -> bool:
    """Whether the next transaction is better done over another connection.

    What a session learned when it began may be wrong by now: that it may only read, how a table
    looked before a migration.
    """
    state = error.sqlstate or ""
    return not state.startswith(_HARMLESS) and state != _CANCELED


def is_unsure(error: BaseException) -> bool:
    """Whether the transaction may be committed all the same: the connection broke in it."""
    if isinstance(error, PoolTimeout | PoolClosed | InDoubt):
        return False  # it never began
    return not isinstance(error, psycopg.Error) or error.sqlstate is None


def in_one_line(error: BaseException) -> str:
    """The error for a log, with the database's code where it has one."""
    if isinstance(error, psycopg.Error) and error.sqlstate:
        # Without the lines of context that PostgreSQL adds.
        words = error.diag.message_primary or str(error)
        return f"{type(error).__name__} {error.sqlstate}: {' '.join(words.split())}"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


class Trouble:
    """Something that goes on failing: paced, and told when it begins, now and then, and its end."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.failures = 0
        self._began = 0.0
        self._ended = -_CALM_SECONDS
        # When each kind of error was told last.
        self._told: dict[str, float] = {}

    def failed(self, error: BaseException) -> float:
        """It failed, once more; for how many seconds to wait before it is tried again."""
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
        # At most 20 times doubled: floats end somewhere.
        doubled = _FIRST_PAUSE_SECONDS * 2.0 ** min(self.failures - 1, 20)
        pause = min(doubled, LONGEST_PAUSE_SECONDS)
        # Not a secret: desks that failed together do not come back together.
        return pause * random.uniform(0.5, 1.0)  # noqa: S311

    @property
    def is_to_be_divided(self) -> bool:
        """Whether to look for a culprit although the error seems to be everybody's.

        Seldom, but for ever: something that one message does to the server must not keep
        everybody else's messages.
        """
        return self.failures % _DIVIDED_EVERY == _DIVIDED_EVERY - 1

    def over(self) -> None:
        """It worked."""
        if not self.failures:
            return
        self._ended = time.monotonic()
        # Said once for each time that it was said to begin.
        if any(told >= self._began for told in self._told.values()):
            log.warning(
                "%s no more, after %d failures in %.1f s.",
                *(self.what, self.failures, self._ended - self._began),
            )
        self.failures = 0
