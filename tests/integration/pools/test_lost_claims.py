"""Answers to what people were shown, though a crash of the database took the claim from them."""

from uuid import UUID, uuid4

import pytest

from al_engine.pools import query
from al_engine.pools.models import EngineProcess, Image, Label, Query, Turn
from al_engine.pools.turns import LeasedTurn, Receipt
from annotator_site.labeling.batch import Batch, Submission
from annotator_site.labeling.protocol import UndoMessage

from .conftest import MakePools, OpenDesk, Pools, Run
from .desk import Desk, give_to


def lose(turn: LeasedTurn) -> None:
    """As if its claim had never been."""
    lost = Turn.objects.filter(pk=turn.turn_id, state="leased").update(
        state="open", annotator_id=None, session=None, lease_expires=None
    )
    assert lost == 1


@pytest.fixture
def at_desk(make_pools: MakePools, open_desk: OpenDesk) -> tuple[Pools, Desk]:
    """Three images in S, and people to label them."""
    pools = make_pools(3)
    return pools, open_desk(pools)


def shown(run: Run, desk: Desk, person: int) -> LeasedTurn:
    """What somebody was shown, and the database knows nothing of."""
    turn = run(desk.claim_one(person))
    lose(turn)
    return turn


def said(
    desk: Desk, person: int, turn: LeasedTurn, choice: int, id_: UUID | None = None
) -> Submission:
    """An answer with the proof that its image was shown."""
    sub = desk.label(person, turn.turn_id, choice, id_)
    sub.image_id = turn.image_id
    return sub


def answer(
    run: Run, desk: Desk, person: int, turn: LeasedTurn, choice: int, id_: UUID | None = None
) -> Receipt:
    """Such an answer alone."""
    sub = said(desk, person, turn, choice, id_)
    return run(desk.run(Batch([sub]))).answers[person, sub.message.id]


def test_it_is_stored_as_a_late_one_and_takes_its_turn(
    at_desk: tuple[Pools, Desk], run: Run
) -> None:
    pools, desk = at_desk
    ann, id_ = pools.people[0], uuid4()
    turn = shown(run, desk, ann)
    assert answer(run, desk, ann, turn, pools.choices[0], id_) == "stored"
    assert answer(run, desk, ann, turn, pools.choices[0], id_) == "repeated"
    label = Label.objects.get()
    assert (label.image_id, label.turn_id, label.late) == (turn.image_id, turn.turn_id, True)
    assert Turn.objects.get(pk=turn.turn_id).state == "answered"
    pools.check()


def test_who_holds_the_turn_now_answers_it_as_well(at_desk: tuple[Pools, Desk], run: Run) -> None:
    pools, desk = at_desk
    ann, ben, cem = pools.people
    turn = shown(run, desk, ann)
    give_to(ben, turn.turn_id)
    both = [said(desk, person, turn, pools.choices[0]) for person in (ann, ben)]
    assert set(run(desk.run(Batch(both))).answers.values()) == {"stored"}
    assert dict(Label.objects.values_list("annotator_id", "late")) == {ann: True, ben: False}
    assert run(desk.answer(cem, turn.turn_id, pools.choices[0])) == "not_yours"
    pools.check()


def test_two_people_of_whom_a_crash_took_the_same_turn_one_after_the_other(
    at_desk: tuple[Pools, Desk], run: Run
) -> None:
    pools, desk = at_desk
    ann, ben, _ = pools.people
    turn = shown(run, desk, ann)
    give_to(ben, turn.turn_id)
    lose(turn)
    both = [said(desk, person, turn, pools.choices[0]) for person in (ann, ben)]
    assert set(run(desk.run(Batch(both))).answers.values()) == {"stored"}
    pools.check()


def test_one_whose_query_was_withdrawn_meanwhile(at_desk: tuple[Pools, Desk], run: Run) -> None:
    pools, desk = at_desk
    ann = pools.people[0]
    turn = shown(run, desk, ann)
    worker = EngineProcess.objects.get(campaign=pools.campaign)
    asked = Query.objects.get(image_id=turn.image_id).pk
    query.refill(campaign_id=pools.id, worker_id=worker.pk, picks=[], withdraw=[asked])
    assert answer(run, desk, ann, turn, pools.choices[0]) == "stored"
    assert Image.objects.get(pk=turn.image_id).state == "labeled"
    pools.check()


@pytest.mark.parametrize("and_its_query", [False, True])
def test_a_turn_that_is_lost_as_well(
    at_desk: tuple[Pools, Desk], run: Run, and_its_query: bool
) -> None:
    pools, desk = at_desk
    ann, ben, _ = pools.people
    cat, dog = pools.choices
    turn, id_ = shown(run, desk, ann), uuid4()
    Turn.objects.filter(pk=turn.turn_id).delete()
    Image.objects.filter(pk=turn.image_id).update(state="unlabeled")
    if and_its_query:  # withdrawn and pruned
        Query.objects.filter(image_id=turn.image_id).delete()
    else:
        Query.objects.filter(image_id=turn.image_id).update(state="withdrawn")
    assert answer(run, desk, ann, turn, cat, id_) == "stored"
    assert answer(run, desk, ann, turn, cat, id_) == "repeated"
    assert answer(run, desk, ann, turn, dog, id_) == "conflict"
    assert answer(run, desk, ben, turn, cat) == "stored", "with a proof of their own"
    assert set(Label.objects.values_list("image_id", flat=True)) == {turn.image_id}
    pools.check()


def test_a_turn_whose_id_another_image_has_now(at_desk: tuple[Pools, Desk], run: Run) -> None:
    pools, desk = at_desk
    ann = pools.people[0]
    other = run(desk.claim_one(ann))
    turn = shown(run, desk, ann)
    # The id is given away again, and to the same person.
    Query.objects.filter(image_id=turn.image_id).update(state="closed")
    Image.objects.filter(pk=turn.image_id).update(state="unlabeled")
    Turn.objects.filter(pk=turn.turn_id).delete()
    Turn.objects.filter(pk=other.turn_id).update(id=turn.turn_id)
    assert answer(run, desk, ann, turn, pools.choices[0]) == "stored"
    assert Label.objects.get().image_id == turn.image_id, "that which was on the screen"
    held = Turn.objects.get(pk=turn.turn_id)
    assert (held.image_id, held.state) == (other.image_id, "leased")
    pools.check()


def test_what_follows_it_follows_it(at_desk: tuple[Pools, Desk], run: Run) -> None:
    pools, desk = at_desk
    ann = pools.people[0]
    turn, id_ = shown(run, desk, ann), uuid4()
    label = said(desk, ann, turn, pools.choices[0], id_)
    undo = Submission(desk.session(ann), UndoMessage(uuid4(), id_))
    outcome = run(desk.run(Batch([label, undo])))
    assert outcome.answers[ann, id_] == "stored"
    assert (ann, id_) in outcome.known
    assert [given.turn_id for given in outcome.turns] == [turn.turn_id]
    assert Label.objects.get().retracted_at is not None
    pools.check()


def test_without_a_proof_it_is_refused(at_desk: tuple[Pools, Desk], run: Run) -> None:
    pools, desk = at_desk
    turn = shown(run, desk, pools.people[0])
    assert run(desk.answer(pools.people[0], turn.turn_id, pools.choices[0])) == "not_yours"
    assert not Label.objects.exists()


def test_an_image_of_another_campaign_is_none_of_this_one(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    there, here = make_pools(1), make_pools(1)
    turn = shown(run, open_desk(there), there.people[0])
    desk = open_desk(here)
    assert answer(run, desk, here.people[0], turn, here.choices[0]) == "unknown_query"
    assert not Label.objects.exists()


def test_an_image_that_is_gone_is_unknown(at_desk: tuple[Pools, Desk], run: Run) -> None:
    pools, desk = at_desk
    turn = shown(run, desk, pools.people[0])
    Turn.objects.filter(pk=turn.turn_id).delete()
    Query.objects.filter(image_id=turn.image_id).delete()
    Image.objects.filter(pk=turn.image_id).delete()
    assert answer(run, desk, pools.people[0], turn, pools.choices[0]) == "unknown_query"
    pools.check()
