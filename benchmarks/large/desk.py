"""People at the desk of one database: all answer the turns they hold and claim the next.

A batch runs `annotator_site.labeling.transaction.run`, the desk's own transaction, over a
connection pool with the desk's options, and then the flush that acknowledgements wait for. The
worker's statement `put` keeps S at its depth.
"""

import itertools
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import psycopg
from psycopg_pool import AsyncConnectionPool

from benchmarks.large.pools import Campaign, Size, connection_info

_LEASE_SECONDS: Final = 3_600
_RESUME_SECONDS: Final = 30
_FIRST_IMAGE: Final = "SELECT min(id) FROM pools_image"
_ASKED: Final = "SELECT count(*) FROM pools_query"


class Took(NamedTuple):
    """Seconds from the start of a batch until the next images go out, and until it is on disk."""

    next_image: float
    on_disk: float


class Desk:
    """People who hold a turn each, and the worker that refills S."""

    def __init__(
        self,
        size: Size,
        campaign: Campaign,
        pool: AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]],
        worker: psycopg.AsyncConnection[tuple[Any, ...]],
        disk: psycopg.AsyncConnection[tuple[Any, ...]],
    ) -> None:
        from annotator_site.labeling.session import Bucket, Session

        self.size = size
        self.campaign = campaign
        self.pool = pool
        self.worker = worker
        self.disk = disk
        self.sessions = [
            Session(
                session_id=uuid.uuid4(),
                annotator_id=annotator_id,
                mine=0,
                bucket=Bucket(0, 0.0),
                send=_nobody_reads,
                now=0.0,
            )
            for annotator_id in campaign.annotators
        ]
        self.turns: dict[uuid.UUID, int] = {}
        self.answered = 0
        # The id of the image at position 0, and the number of images put into S so far.
        self.first_image = self.asked = 0
        self.answers = itertools.cycle(campaign.choices)

    async def batch(self, people: int, *, claim: bool = True) -> Took:
        """Answer the turns that `people` people hold and claim a new turn for each."""
        from al_engine.pools.turns import Demand
        from annotator_site.labeling import batch as batches
        from annotator_site.labeling import transaction
        from annotator_site.labeling.disk import FLUSH
        from annotator_site.labeling.protocol import LabelMessage

        crowd = self.sessions[:people]
        batch = batches.Batch(
            [
                batches.Submission(
                    session,
                    LabelMessage(uuid.uuid4(), turn, next(self.answers), 900),
                )
                for session in crowd
                if (turn := self.turns.pop(session.id, None)) is not None
            ],
            demands=[Demand(s.annotator_id, s.id, 1) for s in crowd] if claim else [],
        )
        began = time.perf_counter()
        async with self.pool.connection() as conn:
            outcome = await transaction.run(
                conn,
                batch,
                campaign_id=self.campaign.id,
                lease_seconds=_LEASE_SECONDS,
                resume_seconds=_RESUME_SECONDS,
            )
        committed = time.perf_counter()
        await self.disk.execute(FLUSH)
        took = Took(committed - began, time.perf_counter() - began)
        refused = [each for each in outcome.answers.values() if each != "stored"]
        assert not refused, f"the desk refused answers: {refused[:3]}"
        self.answered += len(outcome.answers)
        self.turns.update((turn.session, turn.turn_id) for turn in outcome.turns)
        return took

    async def refill(self) -> None:
        """Put as many images into S as were answered since the last call, as a worker would."""
        from al_engine.pools.sql import statement

        count = min(self.answered, self.size.images - self.asked)
        self.answered = 0
        images = [
            self.first_image + self.size.position(nth)
            for nth in range(self.asked, self.asked + count)
        ]
        self.asked += count
        await self.worker.execute(
            statement("put"),
            {
                "images": images,
                "strategies": ["entropy"] * count,
                "scores": [0.5] * count,
                "purposes": ["active"] * count,
                "versions": [None] * count,
                "workers": [self.campaign.worker] * count,
                "campaign": self.campaign.id,
            },
        )

    async def analyze(self) -> None:
        """Update statistics, as autovacuum does within a minute after the first labels."""
        await self.worker.execute("ANALYZE")

    async def rounds(self, people: int, count: int) -> list[Took]:
        """Run `count` batches, one after the other; S is refilled in between, untimed."""
        took = []
        for _ in range(count):
            took.append(await self.batch(people))
            if self.answered >= min(1_000, self.size.queries // 4):
                await self.refill()
        return took

    async def finish(self) -> None:
        """Answer all held turns, so that nothing stays leased."""
        await self.batch(len(self.sessions), claim=False)
        await self.refill()


@asynccontextmanager
async def at_desk(size: Size, campaign: Campaign) -> AsyncIterator[Desk]:
    """A desk on this database that continues where the last desk stopped."""
    from annotator_site.labeling import database, disk

    plain = connection_info(size.database)
    info = connection_info(size.database, database.OPTIONS)
    durable = connection_info(size.database, disk.OPTIONS)
    async with (
        await psycopg.AsyncConnection.connect(**plain, autocommit=True) as worker,
        await psycopg.AsyncConnection.connect(**durable, autocommit=True) as flusher,
        AsyncConnectionPool(
            kwargs={**info, "autocommit": True},
            connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
            min_size=1,
            max_size=1,
            open=False,
        ) as pool,
    ):
        desk = Desk(size, campaign, pool, worker, flusher)
        desk.first_image = await _number(worker, _FIRST_IMAGE)
        desk.asked = await _number(worker, _ASKED)
        yield desk
        await desk.finish()


async def labels_stored(size: Size) -> int:
    """The number of answers in this database, from the counters."""
    async with await psycopg.AsyncConnection.connect(**connection_info(size.database)) as conn:
        return await _number(conn, "SELECT coalesce(sum(answers), 0) FROM pools_counter")


async def _number(conn: psycopg.AsyncConnection[tuple[Any, ...]], statement: str) -> int:
    row = await (await conn.execute(statement)).fetchone()
    assert row is not None
    return int(row[0])


async def _nobody_reads(_: str) -> None:
    """A session's `send` that discards messages, because these people have no connection."""
