"""L: answer, skip, undo, consensus, and following L without missing a row.

The async functions are the labeling path; `query` says how they are sent. The desk calls them in
the order of this file, in one transaction.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from al_engine.pools.excluded import UNUSABLE
from al_engine.pools.query import Connection, Cursor
from al_engine.pools.sql import BY_INDEX, integers, statement, uuids
from al_engine.pools.turns import Answer, Receipt, Shown, Skip, Undo


@dataclass(frozen=True, slots=True)
class Labeled:
    """An image of L as a server sees it; without a choice, it has left L again."""

    image_id: int
    position: int
    choice_id: int | None
    confidence: float
    purpose: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The campaign's progress, as annotators are told: images and answers."""

    labeled: int
    total: int
    answers: int


@dataclass(frozen=True, slots=True)
class Standing:
    """An annotator of a campaign, and how many of their answers are not retracted."""

    annotator_id: int
    mine: int


async def lock(
    conn: Connection, *, turn_ids: Sequence[int] = (), undos: Sequence[Undo] = ()
) -> None:
    """Lock the images of these turns and labels until the end of the transaction.

    One statement locks them in the order of their ids, so that two batches cannot deadlock.
    """
    turns = integers(turn_ids)
    if undos:
        await conn.execute(statement("lock_labels"), {"turns": turns, **_undo_arrays(undos)})
    else:
        await conn.execute(statement("lock"), {"turns": turns})


async def answer(conn: Connection, *, campaign_id: int, answers: Sequence[Answer]) -> Cursor:
    """Store answers and settle their images; return the stored ones, for `read_stored`."""
    said = answer_arrays(campaign_id, answers)
    stored = await conn.execute(statement("answer"), said)
    await conn.execute(statement("settle"), {"campaign": campaign_id, "turns": said["turns"]})
    return stored


async def skip(conn: Connection, *, campaign_id: int, skips: Sequence[Skip]) -> Cursor:
    """Skip turns; an image that two people call unusable leaves the pools.

    Returns rows for `read_skip_receipts`.
    """
    said = {
        "campaign": campaign_id,
        "annotators": [skip.annotator_id for skip in skips],
        "turns": [skip.turn_id for skip in skips],
        "reasons": [skip.reason for skip in skips],
        "senders": [skip.sender for skip in skips],
        "details": [skip.detail for skip in skips],
    }
    await conn.execute(statement("skip"), said)
    by_people = [skip for skip in skips if skip.sender == "person"]
    bad = [skip.turn_id for skip in by_people if skip.reason == "bad_image"]
    if bad:
        await conn.execute(statement("exclude_bad"), {"turns": bad, "problem": UNUSABLE})
    return await conn.execute(statement("skip_receipts"), said)


async def undo(
    conn: Connection, *, campaign_id: int, undos: Sequence[Undo], lease_seconds: int
) -> tuple[set[UUID], Cursor]:
    """Retract labels and settle their images anew; lease the turns to the labels' authors again.

    Returns the labels that were retracted now, and rows for `query.read_turns`. Undoing a label a
    second time, or somebody else's, does nothing.
    """
    retracted = await conn.execute(statement("retract"), _undo_arrays(undos))
    rows = await retracted.fetchall()
    session_of = {(undo.annotator_id, undo.label): undo.session for undo in undos}
    turns = await conn.execute(
        statement("unsettle"),
        {
            "turns": [turn_id for turn_id, _, _ in rows],
            "annotators": [annotator_id for _, annotator_id, _ in rows],
            "sessions": [session_of[annotator_id, label] for _, annotator_id, label in rows],
            "lease_seconds": lease_seconds,
        },
    )
    await conn.execute(
        statement("settle"),
        {"campaign": campaign_id, "turns": [turn_id for turn_id, _, _ in rows]},
    )
    return {label for _, _, label in rows}, turns


async def known_labels(conn: Connection, *, undos: Sequence[Undo]) -> set[tuple[int, UUID]]:
    """Which of these labels exist and belong to the annotator who names them, retracted or not."""
    cursor = await conn.execute(statement("known_labels"), _undo_arrays(undos))
    return {(annotator_id, client_id) for annotator_id, client_id in await cursor.fetchall()}


async def progress(conn: Connection, *, campaign_id: int) -> Cursor:
    """Read the campaign's progress; a row for `read_progress`."""
    return await conn.execute(statement("progress"), {"campaign": campaign_id})


async def standings(
    conn: Connection, *, campaign_id: int, user_ids: Sequence[int]
) -> dict[int, Standing]:
    """The standings of these users in a campaign, by user id; without those who may not label."""
    cursor = await conn.execute(
        """SELECT a.user_id, a.id, (SELECT count(*) FILTER (WHERE l.retracted_at IS NULL)
                                    FROM pools_label l WHERE l.annotator_id = a.id)
           FROM pools_annotator a
           WHERE a.campaign_id = %(campaign)s AND a.user_id = ANY(%(users)s) AND a.active""",
        {"campaign": campaign_id, "users": list(user_ids)},
    )
    return {user_id: Standing(*rest) for user_id, *rest in await cursor.fetchall()}


async def read_progress(cursor: Cursor) -> Progress:
    """The row of `progress` as a value."""
    ((labeled, total, answers),) = await cursor.fetchall()
    return Progress(labeled=int(labeled), total=int(total), answers=int(answers))


async def read_stored(cursor: Cursor) -> set[tuple[int, UUID]]:
    """The answers that were stored now, by annotator and message id."""
    return set(await cursor.fetchall())


async def answer_receipts(
    conn: Connection, *, campaign_id: int, answers: Sequence[Answer]
) -> dict[tuple[int, UUID], Receipt]:
    """The receipts of answers that were not stored, by annotator and message id.

    Call it after the commit.
    """
    asked = await conn.execute(statement("answer_receipts"), answer_arrays(campaign_id, answers))
    return {(row[0], row[1]): row[2] for row in await asked.fetchall()}


async def vouch(
    conn: Connection, *, campaign_id: int, shown: Sequence[Shown]
) -> dict[tuple[int, int], int]:
    """Let annotators answer images that they were shown although a crash lost their leases.

    Maps (annotator, turn as it was shown) to the turn at which the answer is stored; no entry if
    the campaign no longer has the image.
    """
    cursor = await conn.execute(
        statement("vouch"),
        {
            "campaign": campaign_id,
            "annotators": [each.annotator_id for each in shown],
            "turns": [each.turn_id for each in shown],
            "images": [each.image_id for each in shown],
        },
    )
    return {(row[0], row[1]): row[2] for row in await cursor.fetchall()}


async def count_mine(conn: Connection, *, annotator_ids: Collection[int]) -> dict[int, int]:
    """How many answers each of these annotators has given and not retracted."""
    cursor = await conn.execute(statement("mine"), {"annotators": list(annotator_ids)})
    return dict.fromkeys(annotator_ids, 0) | dict(await cursor.fetchall())


async def read_skip_receipts(cursor: Cursor) -> dict[tuple[int, int], Receipt]:
    """The receipt of each skip, by annotator and turn."""
    return {(row[0], row[1]): row[2] for row in await cursor.fetchall()}


def follow(*, campaign_id: int, since: int) -> tuple[list[Labeled], int]:
    """Rows of L that changed since the horizon `since` (0: all of them), and the next horizon.

    Delivery is at least once: a row may come again, none is missed.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(statement("follow"), {"campaign": campaign_id, "since": since})
        rows = cursor.fetchall()
    return [Labeled(*row[:5]) for row in rows if row[0] is not None], int(rows[0][5])


def positions(*, campaign_id: int, limit: int) -> list[int]:
    """Image cache positions of the images of L that changed last, at most `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT image.position
               FROM (SELECT image_id FROM pools_consensus
                     WHERE campaign_id = %s AND choice_id IS NOT NULL
                     ORDER BY changed_in DESC LIMIT %s) newest
               JOIN pools_image image ON image.id = newest.image_id""",
            [campaign_id, limit],
        )
        return [position for (position,) in cursor.fetchall()]


def answer_arrays(campaign_id: int, answers: Sequence[Answer]) -> dict[str, int | str]:
    """Answers as the parameters of answer.sql, answer_receipts.sql and exchange.sql."""
    return {
        "campaign": campaign_id,
        "ids": uuids([answer.client_id for answer in answers]),
        "annotators": integers([answer.annotator_id for answer in answers]),
        "turns": integers([answer.turn_id for answer in answers]),
        "choices": integers([answer.choice_id for answer in answers]),
        "shown": integers([answer.shown_ms for answer in answers]),
        "images": integers([answer.image_id for answer in answers]),
        "lists": integers([answer.choices_version for answer in answers]),
    }


def _undo_arrays(undos: Sequence[Undo]) -> dict[str, list[int] | list[UUID]]:
    return {
        "annotators": [undo.annotator_id for undo in undos],
        "labels": [undo.label for undo in undos],
    }
