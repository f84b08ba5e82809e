"""When wrong passwords pause a name or a network, and what counts as password spraying.

A pair is a name and the network from which it failed. Its failures count until 15 minutes pass
without another one, or until the name logs in from there. So people who mistype and then log in do
not count, however many share an address.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

WINDOW: Final = timedelta(minutes=15)
SPRAYED: Final = 20
"""Spraying: at least this many pairs fail, and more than twice as many as people log in."""


class Limits(NamedTuple):
    """Wrong passwords that are allowed within WINDOW."""

    of_pair: int
    of_network: int


CALM: Final = Limits(of_pair=10, of_network=30)
WHILE_SPRAYED: Final = Limits(of_pair=5, of_network=10)


class Failures(NamedTuple):
    """The wrong passwords for one name, the latest of them `at`."""

    name: str
    times: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """No attempt is allowed before `until`: for one name, or for its whole network."""

    until: datetime
    of_network: bool


def pause_of(
    name: str, failures: Iterable[Failures], *, limits: Limits, got_in: int
) -> Pause | None:
    """The pause of a name, given all recent failures of its network; None: it may try.

    `got_in` people logged in from there meanwhile; the limit of the network grows with them.
    """
    recent = sorted(failures, key=lambda failed: failed.at, reverse=True)
    pauses = (
        _pause([failed for failed in recent if failed.name == name], limits.of_pair, False),
        _pause(recent, max(limits.of_network, 2 * got_in), True),
    )
    return max(
        (pause for pause in pauses if pause is not None),
        key=lambda pause: pause.until,
        default=None,
    )


def is_spraying(pairs: int, got_in: int) -> bool:
    """Whether `pairs` that fail are more than mistyping explains while `got_in` people log in."""
    return pairs >= SPRAYED and pairs > 2 * got_in


def _pause(newest_first: list[Failures], limit: int, of_network: bool) -> Pause | None:
    """Pause until enough old failures expire that the rest are fewer than the limit."""
    count = 0
    for failed in newest_first:
        count += failed.times
        if count >= limit:
            return Pause(failed.at + WINDOW, of_network)
    return None
