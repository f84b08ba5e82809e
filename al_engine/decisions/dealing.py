"""Which worker uses which strategy, and which server trains which network.

Standard library only: it runs before torch loads.
"""

import random
from collections.abc import Sequence


def deal(strategies: Sequence[str], workers: int, seed: int) -> list[str]:
    """Deal strategies out at random among workers (paper, section 4.1), as evenly as possible.

    Returns one name per worker. Every entry of `strategies` is dealt floor(workers / len) or
    ceil(workers / len) times; the rest is random. A name given twice is dealt twice as often. The
    same seed gives the same result. Raises ValueError for no strategies or a negative number of
    workers.
    """
    if not strategies:
        raise ValueError("There is no strategy to deal out; name at least one.")
    if workers < 0:
        raise ValueError(f"The number of workers is 0 or more; it is {workers}.")
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    rounds, rest = divmod(workers, len(strategies))
    cards = [*strategies] * rounds + chance.sample(list(strategies), rest)
    chance.shuffle(cards)
    return cards


def share_of_server(architectures: Sequence[str], *, index: int, servers: int) -> list[str]:
    """The architectures that server `index` (from 0) of `servers` trains, in the order given.

    Paper, section 3.1: 'different servers may employ different algorithms'. With fewer servers than
    architectures a server has several, which it trains in turn; with more, one architecture has
    several servers. Not at random, so that the first architecture always has the first server.
    Raises ValueError for no architectures or an index that is out of range.
    """
    if not architectures or not 0 <= index < servers:
        raise ValueError(
            "Dealing needs an architecture at least, and a server below the number of servers; "
            f"these are {len(architectures)}, and server {index} of {servers}."
        )
    mine = list(architectures[index::servers])
    return mine or [architectures[index % len(architectures)]]
