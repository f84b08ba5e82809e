"""What workers would ask next: written by the process that looks at D_j, read by the filler of S.

They are two processes, so that filling S never waits for looking. Each look is one row per worker,
written in one statement, and so survives the death of either process.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from al_engine.pools import signals
from al_engine.pools.models import Ranking
from al_engine.pools.sql import statement


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one worker's look at its images.

    `images` are ids of images of D_j, best first, and `scores` the strategy's score of each.
    `withdraw` are ids of the worker's open queries that it would not ask now; `confirmed` of those
    that it would ask again, with `confirmed_scores`. `model_version_id` is None before the first
    model.
    """

    worker_id: int
    strategy: str
    model_version_id: int | None
    images: Sequence[int]
    scores: Sequence[float]
    withdraw: Sequence[int] = ()
    confirmed: Sequence[int] = ()
    confirmed_scores: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class RankingProgress:
    """How much of a ranking S has used: the number of the look, images offered, images left."""

    number: int
    used: int
    left: int


def begin(*, worker_ids: Iterable[int]) -> None:
    """Make rankings for workers that are ready to look; existing rankings stay."""
    Ranking.objects.bulk_create(
        [Ranking(worker_id=worker_id) for worker_id in worker_ids], ignore_conflicts=True
    )


def store(*, campaign_id: int, looks: Sequence[Look]) -> None:
    """Replace the rankings of these workers and wake the process that fills S.

    One statement per worker and no transaction around them: the process that looks may be kept from
    the processor at any moment, and must not hold a lock meanwhile.
    """
    with connection.cursor() as cursor:
        for look in looks:
            cursor.execute(
                statement("rank"),
                {
                    "worker": look.worker_id,
                    "strategy": look.strategy,
                    "version": look.model_version_id,
                    "images": list(look.images),
                    "scores": list(look.scores),
                    "withdraw": list(look.withdraw),
                    "confirmed": list(look.confirmed),
                    "confirmed_scores": list(look.confirmed_scores),
                },
            )
    if looks:
        signals.notify("ranked", campaign_id)


def read_progress(*, worker_ids: Sequence[int]) -> dict[int, RankingProgress]:
    """How much of its ranking S has used, for each worker that is ready to look."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT worker_id, number, used, cardinality(images) - used
               FROM pools_ranking WHERE worker_id = ANY(%s)""",
            [list(worker_ids)],
        )
        return {worker_id: RankingProgress(*rest) for worker_id, *rest in cursor.fetchall()}


def read(*, worker_ids: Sequence[int]) -> list[Ranking]:
    """The whole rankings of these workers."""
    return list(Ranking.objects.filter(pk__in=worker_ids))


def use(*, used: Mapping[int, tuple[int, int]]) -> None:
    """Record how many images of each ranking were offered to S: worker → (number, images).

    A ranking that was replaced meanwhile (another number) is left as it is.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE pools_ranking ranking SET used = given.used
               FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS given(worker, number, used)
               WHERE ranking.worker_id = given.worker AND ranking.number = given.number""",
            [
                list(used),
                [number for number, _ in used.values()],
                [count for _, count in used.values()],
            ],
        )
