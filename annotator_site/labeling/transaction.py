"""One transaction of the labeling path: everything of a moment goes in, receipts come out."""

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
"""What the database says of a turn of which it does not know that the person ever had it."""


@dataclass(frozen=True, slots=True)
class _Terms:
    campaign_id: int
    lease_seconds: int
    resume_seconds: int


async def run(
    conn: Connection, batch: Batch, *, campaign_id: int, lease_seconds: int, resume_seconds: int
) -> Outcome:
    """Do a batch in one transaction; returns once it is committed, on disk or not yet.

    A second one follows where people answered what a crash of the database took from them.
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
    """Find out what became of messages that were not labels, or were not stored now."""
    await _ask_receipts(conn, batch, outcome, terms)
    await _answer_lost(conn, batch, outcome, terms)
    if people := _to_be_counted(batch, outcome):
        outcome.mine = await labeled.count_mine(conn, annotator_ids=people)


async def _ask_receipts(conn: Connection, batch: Batch, outcome: Outcome, terms: _Terms) -> None:
    """Nearly always all labels were stored; about the others the database is asked again."""
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
    """The transaction; of labels that it did not store the outcome says nothing yet."""
    tries = 0
    while True:
        try:
            if batch.is_usual:
                return await _exchange(conn, batch, terms)
            return await _all_of_it(conn, batch, terms)
        except psycopg.errors.UniqueViolation:
            # Two processes dealt one image to one person, who is at both. Who commits second
            # does it anew and sees what the first one did.
            tries += 1
            if tries == _TRIES:
                raise


async def _all_of_it(conn: Connection, batch: Batch, terms: _Terms) -> Outcome:
    """All statements in one round trip (a pipeline), but for undos, which are rare."""
    campaign_id, lease_seconds = terms.campaign_id, terms.lease_seconds
    labels, skips, undos = _answers(batch), _skips(batch), _undos(batch)
    outcome = Outcome({}, {}, set(), [], set(), labeled.Progress(labeled=0, total=0, answers=0))
    leased: list[query.Cursor] = []
    answered = skipped = None
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
    """Store what people answered to images that they were shown and a crash took from them."""
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
    # All that they said, in their order: it may be about these answers.
    again = [_at(turns, sub) for sub in batch.submissions if sub.session.annotator_id in people]
    if again:
        later = await _run_once(conn, Batch(again), terms)
        await _ask_receipts(conn, Batch(again), later, terms)
        outcome.add(later)


def _at(turns: dict[tuple[int, int], int], sub: Submission) -> Submission:
    """The same message about the turn at which it can be stored."""
    message, person = sub.message, sub.session.annotator_id
    if isinstance(message, LabelMessage) and (person, message.turn_id) in turns:
        message = replace(message, turn_id=turns[person, message.turn_id])
    return Submission(sub.session, message, sub.image_id)


def _to_be_counted(batch: Batch, outcome: Outcome) -> set[int]:
    """People of whom a message had its effect before, through whichever process and connection.

    The number of their answers that they were told last may have it in it or not.
    """
    people = {person for (person, _), receipt in outcome.answers.items() if receipt == "repeated"}
    people |= {person for person, label in outcome.known if label not in outcome.undone}
    return people & {sub.session.annotator_id for sub in batch.submissions}


async def values_are_at_fault(
    conn: Connection, sub: Submission, *, campaign_id: int, choices: Collection[int]
) -> bool:
    """Whether it is a label's own values that the database refuses; it was tried alone.

    The proof is that the same person's label at the same turn passes with other values: what keeps
    every label from being stored proves nothing against this one. Skips and undos have no values
    that can be wrong.
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
            # Else the end of the transaction, which does not come, would look at the class.
            await conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error:
        return False
    return outcome.did(batch.submissions[0])


async def claim_exactly(
    conn: Connection, demands: Sequence[Demand], *, campaign_id: int, lease_seconds: int
) -> list[LeasedTurn]:
    """Claim for people whom the common claim left short, each by themselves."""
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
