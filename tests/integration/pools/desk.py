"""What a labeling desk does to the pools, one call each, over a connection of its own."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.db.models.functions import Now

from al_engine.pools import labeled, query, signals
from al_engine.pools.labeled import Progress
from al_engine.pools.models import Image, Query, Turn
from al_engine.pools.query import Connection
from al_engine.pools.turns import Demand, LeasedTurn, Receipt, Sender
from annotator_site.labeling import transaction
from annotator_site.labeling.batch import Batch, Outcome, Submission
from annotator_site.labeling.protocol import LabelMessage, SkipMessage, UndoMessage
from annotator_site.labeling.session import Bucket, Session

OPTIONS = (
    "-c synchronous_commit=on -c statement_timeout=15s -c lock_timeout=10s"
    " -c enable_seqscan=off -c jit=off"
)
"""As the site's desks connect."""

LEASE_SECONDS = 120


async def connect(options: str = OPTIONS) -> Connection:
    """A connection like those of the labeling path."""
    info = signals.connection_info(options)
    connection: psycopg.AsyncConnection[tuple[Any, ...]] = await psycopg.AsyncConnection.connect(
        **info, autocommit=True
    )
    return connection


async def _send(_: Any) -> None:
    """Nothing goes out: these tests ask for outcomes."""


class Desk:
    """One campaign's desk. Every call is one transaction, as `transaction.run` makes it."""

    def __init__(self, conn: Connection, campaign_id: int) -> None:
        self.conn = conn
        self.campaign_id = campaign_id
        # One web process' connections share a range of ids.
        self.prefix = uuid4().int >> 64 << 64
        self._sessions: dict[int, Session] = {}

    @property
    def range(self) -> tuple[UUID, UUID]:
        """The ids of this desk's connections."""
        return UUID(int=self.prefix), UUID(int=self.prefix | (2**64 - 1))

    def session(self, person: int) -> Session:
        """This person's connection to this desk."""
        if person not in self._sessions:
            self._sessions[person] = Session(
                session_id=UUID(int=self.prefix | person),
                annotator_id=person,
                mine=0,
                bucket=Bucket(0, 0.0),
                send=_send,
                now=0.0,
            )
        return self._sessions[person]

    async def run(self, work: Batch) -> Outcome:
        """One transaction."""
        return await transaction.run(
            self.conn,
            work,
            campaign_id=self.campaign_id,
            lease_seconds=LEASE_SECONDS,
            resume_seconds=30,
        )

    def label(
        self,
        person: int,
        turn: int,
        choice: int,
        id_: UUID | None = None,
        version: int | None = None,
    ) -> Submission:
        """A label on its way; a fresh message unless `id_` says otherwise."""
        message = LabelMessage(id_ or uuid4(), turn, choice, 700, version)
        return Submission(self.session(person), message)

    async def claim(self, person: int, want: int = 1) -> list[LeasedTurn]:
        """Lease up to `want` turns as the common claim does."""
        demand = Demand(person, self.session(person).id, want)
        return (await self.run(Batch(demands=[demand]))).turns

    async def claim_one(self, person: int) -> LeasedTurn:
        """Lease exactly one turn, by the exact claim."""
        cursor = await query.claim_for(
            self.conn,
            campaign_id=self.campaign_id,
            demand=Demand(person, self.session(person).id, 1),
            lease_seconds=LEASE_SECONDS,
        )
        (turn,) = await query.read_turns(cursor)
        return turn

    async def answer(
        self,
        person: int,
        turn: int,
        choice: int,
        *,
        id_: UUID | None = None,
        version: int | None = None,
    ) -> Receipt:
        """Answer a turn, with the list of classes of this version on the screen."""
        said = self.label(person, turn, choice, id_, version)
        return (await self.run(Batch([said]))).answers[person, said.message.id]

    async def say(self, person: int, choice: int, turn: int | None = None) -> UUID:
        """Answer a turn that is held, or any that is claimed now; the message's id."""
        message = uuid4()
        if turn is None:
            turn = (await self.claim_one(person)).turn_id
        assert await self.answer(person, turn, choice, id_=message) == "stored"
        return message

    async def skip(
        self, person: int, turn: int, reason: str = "unsure", sender: Sender = "person"
    ) -> Receipt:
        """Skip a turn."""
        said = Submission(self.session(person), SkipMessage(uuid4(), turn, reason, sender))
        return (await self.run(Batch([said]))).skips[person, turn]

    async def report(self, person: int, turn: int, problem: str = "not_decodable") -> Receipt:
        """Tell that the picture of a turn did not show."""
        return await self.skip(person, turn, problem, "machine")

    async def undo(self, person: int, label: UUID) -> Outcome:
        """Take an answer back."""
        return await self.run(
            Batch([Submission(self.session(person), UndoMessage(uuid4(), label))])
        )

    async def expire(self) -> list[int]:
        """Sweep the leases that ran out, as this web process may; the turns taken back."""
        gone = await query.expire(self.conn, campaign_id=self.campaign_id, sessions=self.range)
        return [turn for _, turn in gone]

    async def progress(self) -> Progress:
        """The sizes that people are told."""
        return await labeled.read_progress(
            await labeled.progress(self.conn, campaign_id=self.campaign_id)
        )


def answer_alone(pools_id: int, person: int, turn: int, choice: int) -> Receipt:
    """Answer a turn over a fresh connection, from a thread."""

    async def answer() -> Receipt:
        async with await connect() as conn:
            return await Desk(conn, pools_id).answer(person, turn, choice)

    return asyncio.run(answer())


def run_out(turn: int, *, seconds: float = 3600) -> None:
    """Let a lease have ended so long ago."""
    ended = Now() - timedelta(seconds=seconds)
    assert Turn.objects.filter(pk=turn, state="leased").update(lease_expires=ended) == 1


def give_to(person: int, turn: int) -> None:
    """Lease one open turn to somebody, as a claim that met it would."""
    rows = Turn.objects.filter(pk=turn, state="open").update(
        state="leased",
        annotator_id=person,
        session=uuid4(),
        lease_expires=Now() + timedelta(seconds=LEASE_SECONDS),
    )
    assert rows == 1


def states() -> tuple[str, str, list[str]]:
    """Of the only image, of its newest query, and of its turns."""
    return (
        Image.objects.get().state,
        Query.objects.order_by("-pk")[0].state,
        list(Turn.objects.order_by("pk").values_list("state", flat=True)),
    )
