"""What the bots of one run are given, and what they share."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a bot is to the site."""

    username: str
    token: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How a bot labels: mean seconds of thought, least seconds between answers, errors.

    `buffer`: queries held ahead; None: as many as its pace and its network ask for.
    """

    think_s: float
    least_s: float
    error_rate: float
    buffer: int | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A label that the site says is on disk."""

    client_id: str
    query: int
    choice: int
    username: str


@dataclass(slots=True)
class Said:
    """A message that is not acknowledged yet; `choice` is None for a skip.

    `at` is when it was said, `sent` when it went out over the connection that there is.
    """

    frame: str
    query: int
    choice: int | None
    at: float
    sent: float


class Permits:
    """How many labels may still be sent, by all bots together: so that none sends one too many."""

    def __init__(self, count: float) -> None:
        self.left = count
        self.sleepers: set[asyncio.Event] = set()

    def take(self) -> bool:
        """Whether one more label may be sent."""
        if self.left < 1:
            return False
        self.left -= 1
        return True

    def give_back(self) -> None:
        """A label was refused: somebody may send another in its place."""
        self.left += 1
        for sleeper in self.sleepers:
            sleeper.set()
