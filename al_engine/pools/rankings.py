"""What workers would ask next: written by who looks at D_j, taken up by who fills S.

The two are different processes, so that filling S never waits for looking. They meet here: each
look is one row a worker, written in one statement, and nothing of it is lost with either process.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from al_engine.pools import signals
from al_engine.pools.models import Ranking
from al_engine.pools.sql import statement


@dataclass(frozen=True, slots=True)
class Look:
    """The outcome of one worker's look at its images.

    `images` are of D_j, best first, `scores` what the strategy says of each. `withdraw` are
    queries of its own that it would not ask now; `confirmed` those that it would ask again, with
    `confirmed_scores`. `model_version_id` is None before the first model.
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
    """How far S has come in a worker's ranking: which look it is of, images offered, and left."""

    number: int
    used: int
    left: int


def begin(*, worker_ids: Iterable[int]) -> None:
    """Say that these workers are ready to look; what they ranked before stays."""
    Ranking.objects.bulk_create(
        [Ranking(worker_id=worker_id) for worker_id in worker_ids], ignore_conflicts=True
    )


def store(*, campaign_id: int, looks: Sequence[Look]) -> None:
    """Replace the rankings of these workers and wake who fills S.

    A statement a worker and no transaction around them: whoever looks may be kept from the
    processor at any moment, and nobody is to wait for a lock that it holds.
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
    """How far S has come in the ranking of each worker that is ready to look."""
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
    """Note how many images of a worker's ranking S was offered: worker → (number, images)."""
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
