"""Undo: from L back to S, into the same hands; the fact stays, retracted."""

from uuid import UUID, uuid4

import pytest

from al_engine.pools import labeled, query
from al_engine.pools.models import Assignment, Consensus, EngineProcess, Image, Label, Query
from annotator_site.labeling.batch import Batch, Submission
from annotator_site.labeling.protocol import UndoMessage

from .conftest import MakePools, OpenDesk, Pools, Run, commit_when_waited_for
from .desk import Desk, give_to, run_out


async def say(desk: Desk, person: int, choice: int, turn: int | None = None) -> UUID:
    """Answer the only image, in a turn that is held already or one that is claimed now."""
    message = uuid4()
    if turn is None:
        turn = (await desk.claim_one(person)).turn_id
    assert await desk.answer(person, turn, choice, id_=message) == "stored"
    return message


def states() -> tuple[str, str, list[str]]:
    """Of the only image, of its newest query, and of its turns."""
    return (
        Image.objects.get().state,
        Query.objects.order_by("-pk")[0].state,
        list(Assignment.objects.order_by("pk").values_list("state", flat=True)),
    )


def test_an_undone_image_is_back_in_s_and_in_the_hands_of_the_same_person(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    label = run(say(desk, ann, pools.choices[0]))
    outcome = run(desk.undo(ann, label))
    assert outcome.undone == {label}
    (turn,) = outcome.turns
    row = Assignment.objects.get()
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
    first = run(say(desk, ann, cat))
    (turn,) = run(desk.undo(ann, first)).turns
    second = run(say(desk, ann, dog, turn.turn_id))
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
    label = run(say(desk, ann, pools.choices[0]))
    run(desk.undo(ann, label))
    turn = Assignment.objects.get().pk
    assert run(desk.answer(ann, turn, pools.choices[0], id_=label)) == "repeated"
    assert states() == ("queried", "open", ["leased"])
    pools.check()


def test_undoing_twice_undoes_once(make_pools: MakePools, open_desk: OpenDesk, run: Run) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    label = run(say(desk, ann, pools.choices[0]))
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
    label = run(say(desk, ann, pools.choices[0]))
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
    label = run(say(first, ann, pools.choices[0]))
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
    label = run(say(desk, ann, pools.choices[0]))
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
    label = run(say(desk, ann, pools.choices[0]))
    (turn,) = run(desk.undo(ann, label)).turns
    run_out(turn.turn_id)
    assert run(desk.expire()) == [turn.turn_id]
    assert states() == ("queried", "open", ["open"])
    run(say(desk, ben, pools.choices[1]))
    assert Consensus.objects.get().choice_id == pools.choices[1]
    pools.check()


def test_after_an_undo_that_nobody_took_up_a_worker_may_withdraw_the_query(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    label = run(say(desk, ann, pools.choices[0]))
    (turn,) = run(desk.undo(ann, label)).turns
    run_out(turn.turn_id)
    run(desk.expire())
    worker = EngineProcess.objects.get().pk
    asked = [Query.objects.get().pk]
    done = query.refill(campaign_id=pools.id, worker_id=worker, picks=[], withdraw=asked)
    assert done.withdrawn == 1
    assert states() == ("unlabeled", "withdrawn", ["cancelled"])
    pools.check()


# Several answers.


def test_one_answer_of_three_undone_leaves_the_other_two(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=3)
    desk = open_desk(pools)
    cat, dog = pools.choices
    labels = [run(say(desk, person, cat)) for person in pools.people]
    (turn,) = run(desk.undo(pools.people[1], labels[1])).turns
    assert states()[:2] == ("queried", "open")
    assert sorted(states()[2]) == ["answered", "answered", "leased"]
    assert Assignment.objects.get(annotator_id=pools.people[1]).state == "leased"
    pools.check()
    run(say(desk, pools.people[1], dog, turn.turn_id))
    consensus = Consensus.objects.get()
    assert (consensus.choice_id, consensus.answers) == (cat, 3)
    assert consensus.confidence == pytest.approx(2 / 3)
    pools.check()


def test_all_answers_of_an_image_can_be_undone_in_one_batch(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=3)
    desk = open_desk(pools)
    undos = []
    for person in pools.people:
        label = run(say(desk, person, pools.choices[0]))
        undos.append(Submission(desk.session(person), UndoMessage(uuid4(), label)))
    outcome = run(desk.run(Batch(undos)))
    assert len(outcome.undone) == len(outcome.turns) == 3
    assert states() == ("queried", "open", ["leased"] * 3)
    pools.check()


def extra(run: Run, desk: Desk, pools: Pools) -> tuple[UUID, UUID, int]:
    """Two answers where one was wanted: ann's (cat) came late, when ben held the turn (dog)."""
    ann, ben, _ = pools.people
    cat, dog = pools.choices
    turn = run(desk.claim_one(ann)).turn_id
    run_out(turn)
    run(desk.expire())
    give_to(ben, turn)
    return run(say(desk, ann, cat, turn)), run(say(desk, ben, dog, turn)), turn


def test_where_the_other_answers_suffice_an_undo_leaves_what_they_add_up_to(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    late, _, turn = extra(run, desk, pools)
    assert Consensus.objects.get().choice_id == pools.choices[0]
    outcome = run(desk.undo(pools.people[0], late))
    consensus = Consensus.objects.get()
    assert (consensus.choice_id, consensus.answers) == (pools.choices[1], 1)
    assert Image.objects.get().state == "labeled"
    # The late one has a turn again, one of its own.
    (again,) = outcome.turns
    assert again.turn_id != turn
    pools.check()
    run(say(desk, pools.people[0], pools.choices[1], again.turn_id))
    assert Consensus.objects.get().answers == 2
    pools.check()


def test_an_undone_turn_of_an_image_that_stays_decided_ends_with_its_lease(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    late, _, _ = extra(run, desk, pools)
    (again,) = run(desk.undo(pools.people[0], late)).turns
    run_out(again.turn_id)
    run(desk.expire())
    assert Assignment.objects.get(pk=again.turn_id).state == "cancelled"
    pools.check()


def test_when_both_the_late_and_the_other_answer_are_undone_the_image_is_asked_again(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    late, other, _ = extra(run, desk, pools)
    run(desk.undo(pools.people[1], other))
    assert Consensus.objects.get().choice_id == pools.choices[0]
    pools.check()
    run(desk.undo(pools.people[0], late))
    assert Image.objects.get().state == "queried"
    pools.check()


def test_an_answer_that_tipped_the_balance_is_missed_when_it_is_undone(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=4, answers_per_image=2, max_answers=4, confidence=0.6)
    desk = open_desk(pools)
    cat, dog = pools.choices
    votes = zip(pools.people, [cat, dog, dog], strict=False)
    labels = [run(say(desk, person, choice)) for person, choice in votes]
    assert Consensus.objects.get().choice_id == dog
    # 1:1 is no majority of 0.6: the image is asked on.
    (turn,) = run(desk.undo(pools.people[2], labels[2])).turns
    assert Image.objects.get().state == "queried"
    pools.check()
    run_out(turn.turn_id)
    run(desk.expire())
    run(say(desk, pools.people[3], cat))
    assert Consensus.objects.get().choice_id == cat
    pools.check()


# Odd ends.


def test_an_answer_to_a_withdrawn_query_is_undone_into_s(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn = run(desk.claim_one(ann)).turn_id
    run_out(turn)
    run(desk.expire())
    worker = EngineProcess.objects.get().pk
    asked = [Query.objects.get().pk]
    query.refill(campaign_id=pools.id, worker_id=worker, picks=[], withdraw=asked)
    label = run(say(desk, ann, pools.choices[0], turn))
    assert states() == ("labeled", "withdrawn", ["cancelled"])
    (again,) = run(desk.undo(ann, label)).turns
    assert states() == ("queried", "open", ["cancelled", "leased"])
    pools.check()
    run(say(desk, ann, pools.choices[1], again.turn_id))
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_an_undo_by_somebody_who_skipped_the_image_opens_a_turn_for_the_others(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn = run(desk.claim_one(ann)).turn_id
    run_out(turn)
    run(desk.expire())
    # The second time it is skipped, and then what was said the first time arrives.
    run(desk.claim_one(ann))
    run(desk.skip(ann, turn))
    label = run(say(desk, ann, pools.choices[0], turn))
    assert states() == ("labeled", "closed", ["skipped", "cancelled"])
    outcome = run(desk.undo(ann, label))
    assert (outcome.undone, outcome.turns) == ({label}, [])
    assert states() == ("queried", "open", ["skipped", "cancelled", "open"])
    assert run(desk.claim(ann)) == []
    pools.check()


def test_an_image_that_was_excluded_is_not_asked_again_by_an_undo(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=3)
    desk = open_desk(pools)
    ann, ben, cem = pools.people
    label = run(say(desk, ann, pools.choices[0]))
    for person in (ben, cem):
        run(desk.skip(person, run(desk.claim_one(person)).turn_id, "bad_image"))
    assert states()[:2] == ("excluded", "closed")
    outcome = run(desk.undo(ann, label))
    assert outcome.undone == {label}
    assert outcome.turns == []
    assert states()[:2] == ("excluded", "closed")
    pools.check()


def test_a_server_is_told_of_the_undo(make_pools: MakePools, open_desk: OpenDesk, run: Run) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    label = run(say(desk, ann, pools.choices[0]))
    rows, horizon = labeled.follow(campaign_id=pools.id, since=0)
    assert [row.choice_id for row in rows] == [pools.choices[0]]
    run(desk.undo(ann, label))
    ((row,), horizon) = labeled.follow(campaign_id=pools.id, since=horizon)
    assert (row.image_id, row.choice_id, row.confidence) == (Image.objects.get().pk, None, 0.0)
    run(say(desk, ann, pools.choices[1], Assignment.objects.get().pk))
    ((row,), _) = labeled.follow(campaign_id=pools.id, since=horizon)
    assert row.choice_id == pools.choices[1]
