"""People who answer by the labeling path's own statements, many at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID, uuid4

import psycopg

from al_engine.pools import labeled, query, unlabeled
from al_engine.pools.models import Annotator, Campaign, EngineProcess
from al_engine.pools.query import Connection, Pick
from al_engine.pools.signals import connection_info
from al_engine.pools.turns import Answer, Demand, LeasedTurn, Undo

from .digits import image_ids, true_choices

LEASE_SECONDS = 600
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Person:
    """An annotator with one connection."""

    campaign: Campaign
    id: int
    session: UUID = field(default_factory=uuid4)

    def take(self, count: int) -> list[LeasedTurn]:
        """Lease up to `count` turns of S."""
        demand = Demand(self.id, self.session, count)

        async def claim(conn: Connection) -> list[LeasedTurn]:
            return await query.read_turns(
                await query.claim(
                    conn,
                    campaign_id=self.campaign.pk,
                    demands=[demand],
                    lease_seconds=LEASE_SECONDS,
                )
            )

        return _in_one_transaction(claim)

    def answer(self, turns: Sequence[LeasedTurn], choices: Mapping[int, int]) -> dict[int, UUID]:
        """Answer turns with the classes of `choices` (by image id); the labels by image id."""
        answers = [
            Answer(uuid4(), self.id, turn.turn_id, choices[turn.image_id], shown_ms=100)
            for turn in turns
        ]

        async def store(conn: Connection) -> None:
            await labeled.lock(conn, turn_ids=[turn.turn_id for turn in turns])
            cursor = await labeled.answer(conn, campaign_id=self.campaign.pk, answers=answers)
            assert len(await labeled.read_stored(cursor)) == len(answers)

        _in_one_transaction(store)
        return {turn.image_id: said.client_id for turn, said in zip(turns, answers, strict=True)}

    def undo(self, label: UUID) -> None:
        """Take a label back."""
        undos = [Undo(self.id, label, self.session)]

        async def retract(conn: Connection) -> None:
            await labeled.lock(conn, undos=undos)
            undone, _ = await labeled.undo(
                conn, campaign_id=self.campaign.pk, undos=undos, lease_seconds=LEASE_SECONDS
            )
            assert undone == {label}

        _in_one_transaction(retract)


def join(campaign: Campaign) -> Person:
    """A new annotator; without an account, which only the web site needs."""
    return Person(campaign, Annotator.objects.create(campaign=campaign).pk)


def label(
    person: Person,
    positions: Sequence[int],
    *,
    choice: int | None = None,
    purpose: str = "active",
) -> dict[int, UUID]:
    """Put these images into S and answer them: rightly, or all with one class."""
    ask(person.campaign, positions, purpose=purpose)
    turns = person.take(len(positions))
    assert len(turns) == len(positions), "somebody else has queries in S"
    truth = true_choices(person.campaign)
    said = truth if choice is None else dict.fromkeys(truth, choice)
    return person.answer(turns, said)


def ask(campaign: Campaign, positions: Sequence[int], *, purpose: str = "active") -> None:
    """Put these images into S as a worker would that then goes home."""
    worker = EngineProcess.objects.create(
        campaign=campaign, role="worker", name=f"asker-{uuid4()}", state="stopped"
    )
    EngineProcess.objects.filter(pk=worker.pk).update(heartbeat_at="2000-01-01T00:00Z")
    unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=worker.pk, live_workers=1)
    ids = image_ids(campaign, positions)
    put = query.refill(
        campaign_id=campaign.pk,
        worker_id=worker.pk,
        picks=[Pick(image_id, "random", purpose=purpose) for image_id in ids],
    )
    unlabeled.release_cells(worker_id=worker.pk)
    assert put.put == len(positions)


def _in_one_transaction(act: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with await psycopg.AsyncConnection.connect(**connection_info()) as conn:
            return await act(conn)

    return asyncio.run(run())
