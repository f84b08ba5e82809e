"""Which worker uses which strategy. Standard library only: it runs before torch loads."""

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
