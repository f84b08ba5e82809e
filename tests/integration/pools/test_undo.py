"""Undo: from L back to S, into the same hands; the fact stays, retracted."""

from uuid import uuid4

from al_engine.pools import query
from al_engine.pools.models import Consensus, EngineProcess, Image, Label, Query, Turn
from annotator_site.labeling.batch import Batch, Submission
from annotator_site.labeling.protocol import UndoMessage

from .conftest import MakePools, OpenDesk, Run, commit_when_waited_for
from .desk import run_out, states


def test_an_undone_image_is_back_in_s_and_in_the_hands_of_the_same_person(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    label = run(desk.say(ann, pools.choices[0]))
    outcome = run(desk.undo(ann, label))
    assert outcome.undone == {label}
    (turn,) = outcome.turns
    row = Turn.objects.get()
    assert (turn.turn_id, turn.session) == (row.pk, desk.session(ann).id)
    assert (turn.lease_expires, turn.key) == (row.lease_expires, Image.objects.get().key)
    assert (row.state, row.annotator_id) == ("leased", ann)
    assert states() == ("queried", "open", ["leased"])
    fact = Label.objects.get()
    assert fact.retracted_at is not None
    assert fact.choice_id == pools.choices[0]
    assert outcome.progress.labeled == 0
    pools.check()


def test_after_an_undo_the_same_person_answers_again_and_one_answer_stands(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    cat, dog = pools.choices
    first = run(desk.say(ann, cat))
    (turn,) = run(desk.undo(ann, first)).turns
    second = run(desk.say(ann, dog, turn.turn_id))
    standing = dict(Label.objects.values_list("client_id", "retracted_at"))
    assert standing[first] is not None
    assert standing[second] is None
    assert Consensus.objects.get().choice_id == dog
    assert states() == ("labeled", "closed", ["answered"])
    pools.check()
    # And that may be undone as well.
    assert run(desk.undo(ann, second)).undone == {second}
    assert states() == ("queried", "open", ["leased"])
    pools.check()


def test_a_repeated_message_of_an_undone_answer_does_not_bring_it_back(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    label = run(desk.say(ann, pools.choices[0]))
    run(desk.undo(ann, label))
    turn = Turn.objects.get().pk
    assert run(desk.answer(ann, turn, pools.choices[0], id_=label)) == "repeated"
    assert states() == ("queried", "open", ["leased"])
    pools.check()


def test_undoing_twice_undoes_once(make_pools: MakePools, open_desk: OpenDesk, run: Run) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    label = run(desk.say(ann, pools.choices[0]))
    run(desk.undo(ann, label))
    retracted = Label.objects.get().retracted_at
    again = run(desk.undo(ann, label))
    assert (again.undone, again.turns, again.known) == (set(), [], {(ann, label)})
    assert Label.objects.get().retracted_at == retracted
    pools.check()


def test_undoing_twice_in_one_batch_undoes_once(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    label = run(desk.say(ann, pools.choices[0]))
    twice = [Submission(desk.session(ann), UndoMessage(uuid4(), label)) for _ in range(2)]
    outcome = run(desk.run(Batch(twice)))
    assert outcome.undone == {label}
    assert len(outcome.turns) == 1
    pools.check()


def test_undoing_twice_at_once_undoes_once(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    first, second = open_desk(pools), open_desk(pools)
    ann = pools.people[0]
    label = run(first.say(ann, pools.choices[0]))
    run(first.conn.execute("BEGIN"))
    assert run(first.undo(ann, label)).undone == {label}
    again = run(commit_when_waited_for(first.conn, second.undo(ann, label)))
    assert again.undone == set()
    pools.check()


def test_nobody_undoes_what_somebody_else_said(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    label = run(desk.say(ann, pools.choices[0]))
    for person, id_ in ((ben, label), (ann, uuid4())):
        outcome = run(desk.undo(person, id_))
        assert (outcome.undone, outcome.known, outcome.turns) == (set(), set(), [])
    assert states() == ("labeled", "closed", ["answered"])
    pools.check()


def test_an_answer_and_its_undo_in_one_batch_happen_in_this_order(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    said = desk.label(ann, run(desk.claim_one(ann)).turn_id, pools.choices[0])
    undone = Submission(desk.session(ann), UndoMessage(uuid4(), said.message.id))
    outcome = run(desk.run(Batch([said, undone])))
    assert outcome.answers == {(ann, said.message.id): "stored"}
    assert outcome.undone == {said.message.id}
    assert states() == ("queried", "open", ["leased"])
    pools.check()


def test_a_turn_that_is_not_answered_again_goes_back_to_everybody(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    label = run(desk.say(ann, pools.choices[0]))
    (turn,) = run(desk.undo(ann, label)).turns
    run_out(turn.turn_id)
    assert run(desk.expire()) == [turn.turn_id]
    assert states() == ("queried", "open", ["open"])
    run(desk.say(ben, pools.choices[1]))
    assert Consensus.objects.get().choice_id == pools.choices[1]
    pools.check()


def test_after_an_undo_that_nobody_took_up_a_worker_may_withdraw_the_query(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    label = run(desk.say(ann, pools.choices[0]))
    (turn,) = run(desk.undo(ann, label)).turns
    run_out(turn.turn_id)
    run(desk.expire())
    worker = EngineProcess.objects.get().pk
    asked = [Query.objects.get().pk]
    done = query.refill(campaign_id=pools.id, worker_id=worker, picks=[], withdraw=asked)
    assert done.withdrawn == 1
    assert states() == ("unlabeled", "withdrawn", ["cancelled"])
    pools.check()
