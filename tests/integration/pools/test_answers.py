"""Answers: stored once, never lost, and told apart when they come again, late or from others."""

import asyncio
from uuid import uuid4

import pytest
from stock import add_images, make_version

from al_engine.pools import query, unlabeled
from al_engine.pools.models import (
    Consensus,
    EngineProcess,
    Image,
    Label,
    Query,
    Turn,
)
from al_engine.pools.query import Pick
from al_engine.pools.turns import Receipt
from annotator_site.labeling.batch import Batch

from .conftest import (
    MakePools,
    OpenDesk,
    Run,
    commit_when_waited_for,
)
from .desk import Desk


def turn_of(run: Run, desk: Desk, person: int) -> int:
    """A turn that this person holds now."""
    (turn,) = run(desk.claim(person))
    return turn.turn_id


def test_an_answer_moves_its_image_from_s_to_l(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn, message = turn_of(run, desk, ann), uuid4()
    assert run(desk.answer(ann, turn, pools.choices[1], id_=message)) == "stored"
    label = Label.objects.get()
    image = Image.objects.get()
    assert (label.client_id, label.annotator_id, label.turn_id) == (message, ann, turn)
    assert (label.choice_id, label.shown_ms, label.late) == (pools.choices[1], 700, False)
    assert label.retracted_at is None
    assert image.state == "labeled"
    assert Query.objects.get().state == "closed"
    assert Turn.objects.get().state == "answered"
    assert Turn.objects.get().session is None
    consensus = Consensus.objects.get()
    assert (consensus.choice_id, consensus.confidence, consensus.answers) == (
        *(pools.choices[1], 1.0, 1),
    )
    pools.check()


def test_a_message_that_comes_again_has_no_second_effect(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    first, second = open_desk(pools), open_desk(pools)
    ann = pools.people[0]
    turn, message = turn_of(run, first, ann), uuid4()
    assert run(first.answer(ann, turn, pools.choices[0], id_=message)) == "stored"
    decided = Consensus.objects.get()
    for desk in (first, second, first):
        assert run(desk.answer(ann, turn, pools.choices[0], id_=message)) == "repeated"
    assert Label.objects.count() == 1
    assert Consensus.objects.get().changed_in == decided.changed_in, "no server trains for it"
    pools.check()


def test_a_message_that_comes_over_two_connections_at_once_is_stored_once(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    first, second = open_desk(pools), open_desk(pools)
    ann = pools.people[0]
    turn, message = turn_of(run, first, ann), uuid4()
    # Both have begun before either has stored it.
    run(second.conn.execute("BEGIN"))
    run(second.conn.execute("SELECT now()"))
    run(first.conn.execute("BEGIN"))
    run(first.answer(ann, turn, pools.choices[0], id_=message))
    again = run(
        commit_when_waited_for(first.conn, second.answer(ann, turn, pools.choices[0], id_=message))
    )
    run(second.conn.execute("COMMIT"))
    assert again == "repeated"
    assert Label.objects.count() == 1
    pools.check()


def test_many_copies_of_messages_over_many_connections_are_stored_once_each(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(10, people=2)
    desks = [open_desk(pools) for _ in range(4)]
    messages = [
        (person, turn.turn_id, uuid4())
        for person in pools.people
        for turn in run(desks[0].claim(person, 5))
    ]

    async def send_all(desk: Desk) -> list[Receipt]:
        return [
            await desk.answer(person, turn, pools.choices[0], id_=message)
            for person, turn, message in messages
        ]

    async def everywhere() -> list[list[Receipt]]:
        return await asyncio.gather(*map(send_all, desks))

    receipts = run(everywhere())
    for nth in range(len(messages)):
        told = sorted(receipt[nth] for receipt in receipts)
        assert told == ["repeated", "repeated", "repeated", "stored"]
    assert set(Label.objects.values_list("client_id", flat=True)) == {
        message for _, _, message in messages
    }
    pools.check()


def test_a_batch_of_many_people_stores_what_each_of_them_said(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(20, people=10)
    desk = open_desk(pools)
    said = [
        desk.label(person, turn.turn_id, pools.choices[place % 2])
        for place, person in enumerate(pools.people)
        for turn in run(desk.claim(person, 2))
    ]
    outcome = run(desk.run(Batch(said)))
    assert set(outcome.answers.values()) == {"stored"}
    assert len(outcome.answers) == 20
    assert (outcome.progress.labeled, outcome.progress.total) == (20, 20)
    pools.check()


def test_the_first_answer_is_kept_when_an_id_is_used_for_another(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    desk, ann = open_desk(pools), pools.people[0]
    first, second = (turn.turn_id for turn in run(desk.claim(ann, 2)))
    cat, dog = pools.choices
    message = uuid4()
    assert run(desk.answer(ann, first, cat, id_=message)) == "stored"
    assert run(desk.answer(ann, first, dog, id_=message)) == "conflict"
    assert run(desk.answer(ann, second, cat, id_=message)) == "conflict"
    assert Label.objects.get().choice_id == cat
    assert Turn.objects.get(pk=second).state == "leased"
    assert run(desk.answer(ann, second, dog)) == "stored", "its turn can still be answered"
    pools.check()


def test_the_same_id_of_two_people_is_two_messages(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    desk, message = open_desk(pools), uuid4()
    for person in pools.people[:2]:
        turn = turn_of(run, desk, person)
        assert run(desk.answer(person, turn, pools.choices[0], id_=message)) == "stored"
    assert Label.objects.count() == 2


def test_each_refusal_says_which_it_is(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools, other = make_pools(3, answers_per_image=2), make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    cat, dog = pools.choices
    mine = run(desk.claim_one(ann))
    assert run(desk.answer(ann, 10**15, cat)) == "unknown_query"
    elsewhere = Turn.objects.get(campaign=other.campaign).pk
    assert run(desk.answer(ann, elsewhere, cat)) == "unknown_query"
    assert run(desk.answer(ben, mine.turn_id, cat)) == "not_yours"
    nobodys = Turn.objects.filter(campaign=pools.campaign, state="open").exclude(
        image_id=mine.image_id
    )
    assert run(desk.answer(ann, nobodys[0].pk, cat)) == "not_yours"
    others = Turn.objects.get(image_id=mine.image_id, state="open")
    assert run(desk.answer(ann, others.pk, cat)) == "not_yours", "one's own is still unanswered"
    assert run(desk.answer(ann, mine.turn_id, cat)) == "stored"
    assert run(desk.answer(ann, mine.turn_id, dog)) == "too_late"
    assert run(desk.answer(ann, others.pk, dog)) == "too_late"
    assert Label.objects.count() == 1
    pools.check()


def test_a_turn_that_was_skipped_is_not_answered_any_more(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn = turn_of(run, desk, ann)
    run(desk.skip(ann, turn))
    assert run(desk.answer(ann, turn, pools.choices[0])) == "too_late"
    assert not Label.objects.exists()


# Staleness.


@pytest.mark.parametrize(("seen", "staleness"), [(None, None), (0, 3), (2, 1), (3, 0), (9, 0)])
def test_staleness_is_what_the_model_behind_the_query_had_not_seen(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, seen: int | None, staleness: int | None
) -> None:
    pools = make_pools(3)
    desk, ann = open_desk(pools), pools.people[0]
    for turn in run(desk.claim(ann, 3)):
        run(desk.answer(ann, turn.turn_id, pools.choices[0]))
    (image,) = add_images(pools.campaign, 1)
    worker = EngineProcess.objects.get(campaign=pools.campaign)
    version = None
    if seen is not None:
        version = make_version(pools.campaign, 1, seen=seen)
    # On a busy machine its leases may have run out meanwhile.
    unlabeled.hold_cells(campaign_id=pools.id, worker_id=worker.pk, live_workers=1)
    query.refill(
        campaign_id=pools.id,
        worker_id=worker.pk,
        picks=[Pick(image.pk, "margin", 0.25, version)],
    )
    asked = Query.objects.get(image=image)
    assert (asked.strategy, asked.score, asked.model_version_id) == ("margin", 0.25, version)
    run(desk.answer(ann, turn_of(run, desk, ann), pools.choices[0]))
    assert Label.objects.get(image=image).staleness == staleness
