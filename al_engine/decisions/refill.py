"""How much a worker puts into S and what it takes out again: numbers in, numbers out.

S must be deep enough never to run dry and shallow enough to stay fresh: the longer a query waits in
S, the older is the model that chose it. So the depth follows the measured rate of answers and the
measured time of a refill. Pure functions of the standard library; the clock is passed in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# The least depth of the whole of S, in queries: before any rate has been measured, a few people who
# open the page at once each take a first batch.
DEPTH_FLOOR = 100
# The same while torch loads: no query can be stale then and refills are slowest, so S is kept deep
# enough for hundreds of people who open the page at once.
COLD_FLOOR = 500
# Queries for each person who is there: as many as one person can hold at once. However wrong a
# measured rate may be, a deeper S would only grow stale.
CEILING_PER_PERSON = 20

# Of a worker's share of the batch: refilling at half leaves time for a whole pass before S is dry.
LOW_WATER_SHARE = 0.5
# Of a worker's share of the adaptive depth: refilling query by query would cost a transaction for
# each query.
REFILL_BELOW_SHARE = 0.75

# Seconds until a waiting process polls for news, at most.
POLL_SECONDS = 1.0
# Seconds from an answer until S is refilled for it, besides the filling itself: answers are
# reported 20 times a second, a round of filling begins 10 times a second, and a process may have to
# wait for a core.
REACTION_SECONDS = 0.5

# Seconds. Answers older than about three time constants no longer count: the depth of S follows a
# change of pace within two seconds.
TIME_CONSTANT_S = 0.5
# Seconds. A rate over less than this is noise: one answer after 0.1 s is not ten a second.
SHORTEST_WINDOW_S = 1.0
# Seconds. A division by less than this loses all digits.
SHORTEST_ELAPSED_S = 1e-9


@dataclass(frozen=True, slots=True)
class Refresh:
    """Image ids to add and to withdraw, so that the open queries become the new selection."""

    add: tuple[int, ...]
    withdraw: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Aim:
    """How many queries a worker wants open, and how many it adds now."""

    depth: int
    need: int


def target_depth(
    *,
    answers_per_second: float,
    refill_seconds: float,
    workers: int,
    safety: float = 2.0,
    floor: int = DEPTH_FLOOR,
    ceiling: int | None = None,
) -> int:
    """How many queries the whole of S should hold open.

    What people answer during a refill (`answers_per_second` * `refill_seconds`), times `safety`,
    rounded up, between `floor` and `ceiling` (None: no ceiling); and at least one query per worker,
    so that every part of D and every strategy takes part. Raises ValueError for numbers that are
    negative or not finite, no workers, or a ceiling below the floor.
    """
    given = (answers_per_second, refill_seconds, safety)
    if not all(math.isfinite(number) and number >= 0 for number in given):
        raise ValueError(
            "The rate of answers, the refill time and the safety factor must be finite and not "
            f"negative; they are {answers_per_second}, {refill_seconds} and {safety}."
        )
    if workers < 1 or floor < 0 or (ceiling is not None and ceiling < floor):
        raise ValueError(
            "The depth of S needs at least one worker and 0 <= floor <= ceiling; "
            f"there are {workers} workers, floor {floor}, ceiling {ceiling}."
        )
    needed = max(floor, math.ceil(answers_per_second * refill_seconds * safety))
    return max(workers, needed if ceiling is None else min(ceiling, needed))


def ceiling_for(people: int, *, floor: int) -> int:
    """The greatest depth of S for this many people who are there; at least `floor`."""
    return max(floor, CEILING_PER_PERSON * people)


def share(depth: int, *, workers: int, index: int) -> int:
    """The part of `depth` that worker `index` (from 0) of `workers` keeps; the parts add up.

    Raises ValueError for a negative depth or an index that is out of range.
    """
    if depth < 0 or not 0 <= index < workers:
        raise ValueError(
            "A share needs a depth of 0 or more and a worker index below the number of workers; "
            f"they are {depth}, {index} of {workers}."
        )
    whole, rest = divmod(depth, workers)
    return whole + (1 if index < rest else 0)


def fixed_batch(
    *,
    batch_size: int,
    workers: int,
    index: int,
    open_queries: int,
    low_water: float = LOW_WATER_SHARE,
) -> int:
    """How many queries worker `index` adds when the batch size is fixed (paper, section 4.2).

    Its whole share of `batch_size` if its own `open_queries` are at most `low_water` of that share,
    else 0. Raises ValueError for a batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"A fixed batch size is 1 or more; it is {batch_size}.")
    batch = share(batch_size, workers=workers, index=index)
    return batch if open_queries <= batch * low_water else 0


def aim(
    *,
    batch_size: int,
    workers: int,
    index: int,
    open_queries: int,
    answers_per_second: float,
    refill_seconds: float,
    floor: int = DEPTH_FLOOR,
    ceiling: int | None = None,
) -> Aim:
    """How deep worker `index` (from 0) of `workers` keeps its part of S, and how much it adds now.

    `open_queries` counts its untouched queries in S; `refill_seconds` is the time that filling S
    takes. `batch_size` 0 means the adaptive depth: a worker fills up its share once `open_queries`
    is at most `REFILL_BELOW_SHARE` of it. Raises ValueError as `share` and `target_depth` do.
    """
    if batch_size:
        return Aim(
            share(batch_size, workers=workers, index=index),
            fixed_batch(
                batch_size=batch_size, workers=workers, index=index, open_queries=open_queries
            ),
        )
    total = target_depth(
        answers_per_second=answers_per_second,
        refill_seconds=refill_seconds,
        workers=workers,
        floor=floor,
        ceiling=ceiling,
    )
    depth = share(total, workers=workers, index=index)
    return Aim(depth, depth - open_queries if open_queries <= depth * REFILL_BELOW_SHARE else 0)


def urgent(
    *,
    workers: int,
    index: int,
    open_queries: int,
    answers_per_second: float,
    refill_seconds: float,
    floor: int = DEPTH_FLOOR,
) -> int:
    """How many queries worker `index` (from 0) of `workers` adds rather than let S run dry.

    While g* has no ranking yet, S takes images that an older model ranked, or random images, but
    only up to `LOW_WATER_SHARE` of the adaptive depth, which is what people answer during one
    refill; the rest is left for the ranking of g*. Raises ValueError as `share` and `target_depth`
    do.
    """
    total = target_depth(
        answers_per_second=answers_per_second,
        refill_seconds=refill_seconds,
        workers=1,
        floor=floor,
    )
    least = share(math.ceil(total * LOW_WATER_SHARE), workers=workers, index=index)
    return max(least - open_queries, 0)


def plan_refresh(*, open_ids: Sequence[int], selected_ids: Sequence[int]) -> Refresh:
    """What to add and what to withdraw so that the open queries become the new selection.

    Both arguments are image ids. Additions keep the order of `selected_ids` (best first),
    withdrawals that of `open_ids`; duplicate ids count once.
    """
    still_open, wanted = set(open_ids), set(selected_ids)
    return Refresh(
        add=tuple(i for i in dict.fromkeys(selected_ids) if i not in still_open),
        withdraw=tuple(i for i in dict.fromkeys(open_ids) if i not in wanted),
    )


class AnswerRate:
    """Answers per second: recent answers weigh most, and the rate falls to 0 when nobody answers.

    An exponential average with a time constant: an answer t seconds old weighs exp(-t / constant).
    The average is over the time observed, so it is unbiased from the start. Times are seconds of
    any one clock; a clock that goes back counts as standing still.
    """

    def __init__(self, *, started: float, time_constant_s: float = TIME_CONSTANT_S) -> None:
        if time_constant_s <= 0:
            raise ValueError(f"The time constant is above 0 seconds; it is {time_constant_s}.")
        self._constant = time_constant_s
        self._started = self._seen = started
        self._weighted = 0.0  # sum over the past of rate * weight, where weights sum to 1

    def observe(self, count: int, *, at: float) -> None:
        """Take in `count` answers that came since the last call."""
        if count < 0:
            raise ValueError(f"A number of answers is 0 or more; it is {count}.")
        at = max(at, self._seen)
        elapsed = at - self._seen
        kept = math.exp(-elapsed / self._constant)
        # Spread over the time since the last call; its limit for no time at all is 1 / constant.
        weight = 1 / self._constant
        if elapsed > SHORTEST_ELAPSED_S:
            weight = -math.expm1(-elapsed / self._constant) / elapsed
        self._weighted = self._weighted * kept + count * weight
        self._seen = at

    def per_second(self, *, at: float) -> float:
        """The rate at time `at`, if nobody has answered since the last observation."""
        at = max(at, self._seen)
        kept = math.exp(-(at - self._seen) / self._constant)
        observed = max(at - self._started, SHORTEST_WINDOW_S)
        return self._weighted * kept / -math.expm1(-observed / self._constant)
