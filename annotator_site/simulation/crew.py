"""Values that the bots of one run are given, and the permits that they share."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """A bot's account on the site."""

    username: str
    token: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How a bot labels: mean seconds of thought, least seconds for an answer, share of errors.

    `buffer`: queries held ahead; None: as many as the bot's pace and network require.
    """

    think_s: float
    least_s: float
    error_rate: float
    buffer: int | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A label that the site has acknowledged, and so has on disk."""

    client_id: str
    query: int
    choice: int
    username: str


@dataclass(slots=True)
class Said:
    """A message that is not acknowledged yet; `choice` is None for a skip.

    `at`: when the bot answered; `sent`: when the message first went out over the current
    connection. Both in seconds of the monotonic clock.
    """

    frame: str
    query: int
    choice: int | None
    at: float
    sent: float


class Permits:
    """The number of labels that all bots together may still send; keeps the total exact."""

    def __init__(self, count: float) -> None:
        self.left = count
        self.sleepers: set[asyncio.Event] = set()

    def take(self) -> bool:
        """Take a permit for one label; returns False if none is left."""
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def give_back(self) -> None:
        """Return the permit of a refused label, and wake the bots that wait for one."""
        self.left += 1
        for sleeper in self.sleepers:
            sleeper.set()
