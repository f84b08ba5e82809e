"""One transaction of the labeling path: a batch goes in, receipts and turns come out."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

import psycopg

from al_engine.pools import labeled, query
from al_engine.pools.exchange import exchange
from al_engine.pools.query import Connection
from al_engine.pools.turns import Answer, Demand, LeasedTurn, Receipt, Shown, Skip, Undo
from annotator_site.labeling.batch import Batch, Outcome, Resume, Submission
from annotator_site.labeling.protocol import LabelMessage, SkipMessage, UndoMessage

_TRIES: Final = 3
NEVER_HELD: Final[tuple[Receipt, ...]] = ("not_yours", "unknown_query")
"""Receipts for a turn that the person, as far as the database knows, never had."""


@dataclass(frozen=True, slots=True)
class _Terms:
    campaign_id: int
    lease_seconds: int
    resume_seconds: int


async def run(
    conn: Connection, batch: Batch, *, campaign_id: int, lease_seconds: int, resume_seconds: int
) -> Outcome:
    """Do a batch in one transaction; returns once it is committed, on disk or not yet.

    A second transaction follows if people answered turns whose leases a crash lost.
    """
    terms = _Terms(campaign_id, lease_seconds, resume_seconds)
    outcome = await _run_once(conn, batch, terms)
    batch.committed = True
    if len(outcome.answers) < len(batch.submissions):
        try:
            await _complete(conn, batch, outcome, terms)
        except Exception:
            for sub in batch.submissions:
                sub.took_effect |= outcome.did(sub)
            raise
    return outcome


async def _complete(conn: Connection, batch: Batch, outcome: Outcome, terms: _Terms) -> None:
    """Complete the outcome for messages that are not labels, or were not stored now."""
    await _ask_receipts(conn, batch, outcome, terms)
    await _answer_lost(conn, batch, outcome, terms)
    if people := _to_be_counted(batch, outcome):
        outcome.mine = await labeled.count_mine(conn, annotator_ids=people)


async def _ask_receipts(conn: Connection, batch: Batch, outcome: Outcome, terms: _Terms) -> None:
    """Read the receipts of labels that were not stored; nearly always there are none."""
    rest = [
        said
        for said in _answers(batch)
        if (said.annotator_id, said.client_id) not in outcome.answers
    ]
    if rest:
        outcome.answers |= await labeled.answer_receipts(
            conn, campaign_id=terms.campaign_id, answers=rest
        )


async def _run_once(conn: Connection, batch: Batch, terms: _Terms) -> Outcome:
    """Run the transaction; its outcome has no receipts yet for labels that it did not store."""
    tries = 0
    while True:
        try:
            if batch.is_usual:
                return await _exchange(conn, batch, terms)
            return await _all_of_it(conn, batch, terms)
        except psycopg.errors.UniqueViolation:
            # Two processes dealt one image to one person, who is connected to both. The second
            # to commit tries again and sees what the first one did.
            tries += 1
            if tries == _TRIES:
                raise


async def _all_of_it(conn: Connection, batch: Batch, terms: _Terms) -> Outcome:
    """All statements in one round trip (a pipeline), except for undos, which are rare."""
    campaign_id, lease_seconds = terms.campaign_id, terms.lease_seconds
    labels, skips, undos = _answers(batch), _skips(batch), _undos(batch)
    outcome = Outcome({}, {}, set(), [], set(), labeled.Progress(labeled=0, total=0, answers=0))
    leased: list[query.Cursor] = []
    answered = skipped = None
    async with conn.pipeline(), conn.transaction():
        if labels or skips or undos:
            # Lock before writing: a transaction that waits for a lock then blocks no other.
            turn_ids = [said.turn_id for said in labels] + [said.turn_id for said in skips]
            await labeled.lock(conn, turn_ids=turn_ids, undos=undos)
        if labels:
            answered = await labeled.answer(conn, campaign_id=campaign_id, answers=labels)
        if skips:
            skipped = await labeled.skip(conn, campaign_id=campaign_id, skips=skips)
        if undos:
            outcome.known = await labeled.known_labels(conn, undos=undos)
            outcome.undone, cursor = await labeled.undo(
                conn, campaign_id=campaign_id, undos=undos, lease_seconds=lease_seconds
            )
            leased.append(cursor)
        for holders, seconds in ((batch.left, terms.resume_seconds), (batch.gone, 0)):
            if holders:
                await query.renew(conn, campaign_id=campaign_id, holders=holders, seconds=seconds)
        leased.extend(await _resume(conn, batch.resumes, terms))
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
    if answered:
        outcome.answers = dict.fromkeys(await labeled.read_stored(answered), "stored")
    if skipped:
        outcome.skips = await labeled.read_skip_receipts(skipped)
    outcome.turns = [turn for cursor in leased for turn in await query.read_turns(cursor)]
    outcome.progress = await labeled.read_progress(progress)
    return outcome


async def _exchange(conn: Connection, batch: Batch, terms: _Terms) -> Outcome:
    done = await exchange(
        conn,
        campaign_id=terms.campaign_id,
        answers=_answers(batch),
        demands=batch.demands,
        lease_seconds=terms.lease_seconds,
    )
    answered: dict[tuple[int, UUID], Receipt] = dict.fromkeys(done.stored, "stored")
    return Outcome(answered, {}, set(), done.turns, set(), done.progress)


async def _answer_lost(conn: Connection, batch: Batch, outcome: Outcome, terms: _Terms) -> None:
    """Store answers to images that people were shown as turns whose leases a crash lost."""
    shown = [
        Shown(person, message.turn_id, sub.image_id)
        for sub in batch.submissions
        if sub.image_id
        and isinstance(message := sub.message, LabelMessage)
        and outcome.answers[(person := sub.session.annotator_id), message.id] in NEVER_HELD
    ]
    if not shown:
        return
    turns = await labeled.vouch(conn, campaign_id=terms.campaign_id, shown=shown)
    people = {person for person, _ in turns}
    # All messages of these people, in order: later ones may be about these answers.
    again = [_at(turns, sub) for sub in batch.submissions if sub.session.annotator_id in people]
    if again:
        later = await _run_once(conn, Batch(again), terms)
        await _ask_receipts(conn, Batch(again), later, terms)
        outcome.add(later)


def _at(turns: dict[tuple[int, int], int], sub: Submission) -> Submission:
    """The same message, for the turn at which it can be stored."""
    message, person = sub.message, sub.session.annotator_id
    if isinstance(message, LabelMessage) and (person, message.turn_id) in turns:
        message = replace(message, turn_id=turns[person, message.turn_id])
    return Submission(sub.session, message, sub.image_id)


def _to_be_counted(batch: Batch, outcome: Outcome) -> set[int]:
    """People with a message that had its effect before, through any process and connection.

    The number of answers that they were last told may or may not include it.
    """
    people = {person for (person, _), receipt in outcome.answers.items() if receipt == "repeated"}
    people |= {person for person, label in outcome.known if label not in outcome.undone}
    return people & {sub.session.annotator_id for sub in batch.submissions}


async def values_are_at_fault(
    conn: Connection, sub: Submission, *, campaign_id: int, choices: Collection[int]
) -> bool:
    """Whether the database refuses a label, which was tried alone, because of its own values.

    The proof is that the same person's label at the same turn passes with other values: a fault
    that keeps every label from being stored proves nothing against this one. Skips and undos have
    no values that can be wrong.
    """
    message = sub.message
    if not isinstance(message, LabelMessage):
        return False
    choice = next((each for each in choices if each != message.choice), message.choice)
    twin = replace(message, id=uuid4(), choice=choice, shown_ms=0, choices_version=None)
    batch = Batch([Submission(sub.session, twin, sub.image_id)])
    try:
        async with conn.transaction(force_rollback=True):
            outcome = await _run_once(conn, batch, _Terms(campaign_id, 0, 0))
            # Check the class now: the foreign key is deferred to a commit that never comes.
            await conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error:
        return False
    return outcome.did(batch.submissions[0])


async def claim_exactly(
    conn: Connection, demands: Sequence[Demand], *, campaign_id: int, lease_seconds: int
) -> list[LeasedTurn]:
    """Claim one by one for connections that the common claim left short."""
    turns: list[LeasedTurn] = []
    for demand in demands:
        cursor = await query.claim_for(
            conn, campaign_id=campaign_id, demand=demand, lease_seconds=lease_seconds
        )
        turns += await query.read_turns(cursor)
    return turns


async def _resume(conn: Connection, resumes: Iterable[Resume], terms: _Terms) -> list[query.Cursor]:
    return [
        await query.resume(
            conn,
            campaign_id=terms.campaign_id,
            annotator_id=resume.session.annotator_id,
            former=resume.former,
            session=resume.session.id,
            lease_seconds=terms.lease_seconds,
        )
        for resume in resumes
    ]


def _answers(batch: Batch) -> list[Answer]:
    return [
        Answer(
            client_id=m.id,
            annotator_id=sub.session.annotator_id,
            turn_id=m.turn_id,
            choice_id=m.choice,
            shown_ms=m.shown_ms,
            image_id=sub.image_id,
            choices_version=m.choices_version,
        )
        for sub in batch.submissions
        if isinstance(m := sub.message, LabelMessage)
    ]


def _skips(batch: Batch) -> list[Skip]:
    return [
        Skip(sub.session.annotator_id, m.turn_id, m.reason, m.sender, m.detail)
        for sub in batch.submissions
        if isinstance(m := sub.message, SkipMessage)
    ]


def _undos(batch: Batch) -> list[Undo]:
    return [
        Undo(sub.session.annotator_id, m.label, sub.session.id)
        for sub in batch.submissions
        if isinstance(m := sub.message, UndoMessage)
    ]
