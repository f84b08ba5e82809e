"""One transaction of the labeling path: everything of a moment goes in, receipts come out."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from al_engine.pools import labeled, query
from al_engine.pools.exchange import exchange
from al_engine.pools.labeled import Progress
from al_engine.pools.query import Connection
from al_engine.pools.turns import Answer, Demand, Receipt, Skip, Turn, Undo
from annotator_site.labeling.campaign_view import CampaignView
from annotator_site.labeling.protocol import LabelMessage, SkipMessage, UndoMessage
from annotator_site.labeling.session import Session

log = logging.getLogger(__name__)

MAX_MESSAGES: Final = 1_000
"""Messages in one transaction: more would make the first of them wait for the last."""

_TRIES: Final = 3

Act = LabelMessage | SkipMessage | UndoMessage
_ORDER: Final = {LabelMessage: 0, SkipMessage: 1, UndoMessage: 2}


@dataclass(slots=True)
class Submission:
    """A message on its way to the database, and the connection that waits for its receipt."""

    session: Session
    message: Act


@dataclass(slots=True)
class Resume:
    """A connection that takes up the leases of an earlier one."""

    session: Session
    former: UUID


@dataclass(slots=True)
class Batch:
    """What one transaction does."""

    submissions: list[Submission] = field(default_factory=list)
    resumes: list[Resume] = field(default_factory=list)
    # (annotator, session) of connections that dropped: their leases are kept for a while.
    left: list[tuple[int, UUID]] = field(default_factory=list)
    # The same of those that said good-bye: their leases end now.
    gone: list[tuple[int, UUID]] = field(default_factory=list)
    demands: list[Demand] = field(default_factory=list)
    # What it claimed went out.
    handed_out: bool = False

    def __bool__(self) -> bool:
        return bool(self.submissions or self.resumes or self.left or self.gone or self.demands)

    @property
    def is_usual(self) -> bool:
        """Whether there are labels and claims in it and nothing else."""
        if self.resumes or self.left or self.gone:
            return False
        return all(isinstance(sub.message, LabelMessage) for sub in self.submissions)


@dataclass(slots=True)
class Outcome:
    """What a transaction did, once it is committed."""

    answers: dict[tuple[int, UUID], Receipt]
    skips: dict[tuple[int, int], Receipt]
    known: set[tuple[int, UUID]]
    turns: list[Turn]
    # Labels that this transaction retracted.
    undone: set[UUID]
    progress: Progress


def take(pending: deque[Submission]) -> list[Submission]:
    """Remove from `pending` what may go into one transaction, keeping each person's order.

    A transaction does labels, then skips, then undos. A message of somebody whose earlier
    message comes later in that order, or is the same message, waits for the next one.
    """
    taken: list[Submission] = []
    waiting: list[Submission] = []
    reached: dict[int, int] = {}
    seen: set[tuple[int, UUID]] = set()
    held_up: set[int] = set()
    while pending and len(taken) < MAX_MESSAGES:
        sub = pending.popleft()
        person, order = sub.session.annotator_id, _ORDER[type(sub.message)]
        identity = (person, sub.message.id)
        if person in held_up or order < reached.get(person, 0) or identity in seen:
            held_up.add(person)
            waiting.append(sub)
            continue
        reached[person] = order
        seen.add(identity)
        taken.append(sub)
    pending.extendleft(reversed(waiting))
    return taken


async def commit(
    pool: AsyncConnectionPool[Connection], batch: Batch, campaign: CampaignView
) -> Outcome:
    """Do a batch, however long the database is away."""
    delay = 0.05
    while True:
        try:
            async with pool.connection() as conn:
                return await run(
                    conn,
                    batch,
                    campaign_id=campaign.id,
                    lease_seconds=campaign.lease_seconds,
                    resume_seconds=campaign.resume_seconds,
                )
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
            log.warning("A batch waits for the database: %s", " ".join(str(error).split()))
            await asyncio.sleep(delay)
            delay = min(2 * delay, 1.0)


async def run(
    conn: Connection, batch: Batch, *, campaign_id: int, lease_seconds: int, resume_seconds: int
) -> Outcome:
    """Do a batch in one transaction; returns once it is committed, on disk or not yet."""
    tries = 0
    while True:
        try:
            if batch.is_usual:
                return await _exchange(conn, batch, campaign_id, lease_seconds)
            return await _all_of_it(conn, batch, campaign_id, lease_seconds, resume_seconds)
        except psycopg.errors.UniqueViolation:
            # Two processes dealt one image to one person, who is at both. Who commits second
            # does it anew and sees what the first one did.
            tries += 1
            if tries == _TRIES:
                raise


async def _all_of_it(
    conn: Connection, batch: Batch, campaign_id: int, lease_seconds: int, resume_seconds: int
) -> Outcome:
    """All statements in one round trip (a pipeline), but for undos, which are rare."""
    labels, skips, undos = _answers(batch), _skips(batch), _undos(batch)
    leased: list[query.Cursor] = []
    answered = skipped = None
    known: set[tuple[int, UUID]] = set()
    undone: set[UUID] = set()
    async with conn.pipeline(), conn.transaction():
        if labels or skips or undos:
            # Before anything is written: what waits for a lock then makes nobody wait.
            turn_ids = [said.turn_id for said in labels] + [said.turn_id for said in skips]
            await labeled.lock(conn, turn_ids=turn_ids, undos=undos)
        if labels:
            answered = await labeled.answer(conn, campaign_id=campaign_id, answers=labels)
        if skips:
            skipped = await labeled.skip(conn, campaign_id=campaign_id, skips=skips)
        if undos:
            known = await labeled.known_labels(conn, undos=undos)
            undone, cursor = await labeled.undo(
                conn, campaign_id=campaign_id, undos=undos, lease_seconds=lease_seconds
            )
            leased.append(cursor)
        for holders, seconds in ((batch.left, resume_seconds), (batch.gone, 0)):
            if holders:
                await query.renew(conn, campaign_id=campaign_id, holders=holders, seconds=seconds)
        leased.extend(await _resume(conn, batch.resumes, campaign_id, lease_seconds))
        if batch.demands:
            leased.append(
                await query.claim(
                    conn,
                    campaign_id=campaign_id,
                    demands=batch.demands,
                    lease_seconds=lease_seconds,
                )
            )
        progress = await labeled.progress(conn, campaign_id=campaign_id)
    stored = await labeled.read_stored(answered) if answered else set()
    return Outcome(
        answers=await labeled.answer_receipts(
            conn, campaign_id=campaign_id, answers=labels, stored=stored
        ),
        skips=await labeled.read_skip_receipts(skipped) if skipped else {},
        known=known,
        turns=[turn for cursor in leased for turn in await query.read_turns(cursor)],
        undone=undone,
        progress=await labeled.read_progress(progress),
    )


async def _exchange(
    conn: Connection, batch: Batch, campaign_id: int, lease_seconds: int
) -> Outcome:
    answers = _answers(batch)
    done = await exchange(
        conn,
        campaign_id=campaign_id,
        answers=answers,
        demands=batch.demands,
        lease_seconds=lease_seconds,
    )
    return Outcome(
        answers=await labeled.answer_receipts(
            conn, campaign_id=campaign_id, answers=answers, stored=done.stored
        ),
        skips={},
        known=set(),
        turns=done.turns,
        undone=set(),
        progress=done.progress,
    )


async def claim_exactly(
    conn: Connection, demands: Sequence[Demand], *, campaign_id: int, lease_seconds: int
) -> list[Turn]:
    """Claim for people whom the common claim left short, each by themselves."""
    turns: list[Turn] = []
    for demand in demands:
        cursor = await query.claim_for(
            conn, campaign_id=campaign_id, demand=demand, lease_seconds=lease_seconds
        )
        turns += await query.read_turns(cursor)
    return turns


async def _resume(
    conn: Connection, resumes: Iterable[Resume], campaign_id: int, lease_seconds: int
) -> list[query.Cursor]:
    return [
        await query.resume(
            conn,
            campaign_id=campaign_id,
            annotator_id=resume.session.annotator_id,
            former=resume.former,
            session=resume.session.id,
            lease_seconds=lease_seconds,
        )
        for resume in resumes
    ]


def _answers(batch: Batch) -> list[Answer]:
    return [
        Answer(m.id, sub.session.annotator_id, m.query, m.choice, m.shown_ms, m.choices_version)
        for sub in batch.submissions
        if isinstance(m := sub.message, LabelMessage)
    ]


def _skips(batch: Batch) -> list[Skip]:
    return [
        Skip(sub.session.annotator_id, m.query, m.reason)
        for sub in batch.submissions
        if isinstance(m := sub.message, SkipMessage)
    ]


def _undos(batch: Batch) -> list[Undo]:
    return [
        Undo(sub.session.annotator_id, m.label, sub.session.id)
        for sub in batch.submissions
        if isinstance(m := sub.message, UndoMessage)
    ]
