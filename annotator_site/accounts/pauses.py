"""When wrong passwords make a name or a network rest, and what counts as spraying.

A pair is a name and the network from which it failed. Its failures count until a quarter of an hour
has passed without another one, or until the name gets in from there. So people who mistype and then
get in count for nothing, however many share an address.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

WINDOW: Final = timedelta(minutes=15)
SPRAYED: Final = 20
"""So many pairs fail, and they are more than twice the people who got in: somebody sprays."""


class Limits(NamedTuple):
    """How many wrong passwords are let through."""

    of_pair: int
    of_network: int


CALM: Final = Limits(of_pair=10, of_network=30)
WHILE_SPRAYED: Final = Limits(of_pair=5, of_network=10)


class Failures(NamedTuple):
    """The wrong passwords for one name, of which the last came `at`."""

    name: str
    times: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing is tried until then: for one name, or for all of the network."""

    until: datetime
    of_network: bool


def pause_of(
    name: str, failures: Iterable[Failures], *, limits: Limits, got_in: int
) -> Pause | None:
    """What keeps a name from being tried, given all recent failures of its network.

    `got_in` people have logged in from there meanwhile; a network of many has a limit to match.
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
    """Whether so many failing pairs are more than people mistype while so many get in."""
    return pairs >= SPRAYED and pairs > 2 * got_in


def _pause(newest_first: list[Failures], limit: int, of_network: bool) -> Pause | None:
    """Until so many failures are forgotten that the others are fewer than the limit."""
    count = 0
    for failed in newest_first:
        count += failed.times
        if count >= limit:
            return Pause(failed.at + WINDOW, of_network)
    return None
