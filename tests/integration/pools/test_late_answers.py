"""Late answers: the lease had run out, and yet no work that a person did is thrown away."""

from uuid import uuid4

from django.db import transaction

from al_engine.pools import query
from al_engine.pools.models import Consensus, EngineProcess, Image, Label, Query, Turn
from al_engine.pools.query import Pick
from annotator_site.labeling.batch import Batch

from .conftest import (
    MakePools,
    OpenDesk,
    Pools,
    Run,
    commit_when_waited_for,
    in_background,
    until_waited_for,
)
from .desk import Desk, answer_alone, give_to, run_out


def turn_of(run: Run, desk: Desk, person: int) -> int:
    """A turn that this person holds now."""
    (turn,) = run(desk.claim(person))
    return turn.turn_id


def test_a_late_answer_takes_its_turn_if_that_is_free(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn = turn_of(run, desk, ann)
    run_out(turn)
    run(desk.expire())
    assert run(desk.answer(ann, turn, pools.choices[0])) == "stored"
    row = Turn.objects.get()
    assert (row.state, row.annotator_id) == ("answered", ann)
    assert Label.objects.get().late
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_a_lease_that_ran_out_but_was_not_swept_is_answered_as_ever(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn = turn_of(run, desk, ann)
    run_out(turn)
    assert run(desk.answer(ann, turn, pools.choices[0])) == "stored"
    assert not Label.objects.get().late
    assert run(desk.expire()) == []
    pools.check()


def test_a_late_answer_to_a_turn_of_somebody_else_is_stored_and_so_is_theirs(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, cem = pools.people
    cat, dog = pools.choices
    turn = turn_of(run, desk, ann)
    run_out(turn)
    run(desk.expire())
    give_to(ben, turn)
    message = uuid4()
    assert run(desk.answer(ann, turn, cat, id_=message)) == "stored"
    assert run(desk.answer(ann, turn, cat, id_=message)) == "repeated"
    assert run(desk.answer(ann, turn, dog)) == "too_late"
    assert Turn.objects.get().annotator_id == ben
    assert run(desk.answer(ben, turn, dog)) == "stored"
    late = dict(Label.objects.values_list("annotator_id", "late"))
    assert late == {ann: True, ben: False}
    assert Consensus.objects.get().answers == 2
    assert Consensus.objects.get().choice_id == cat, "who was first, where they are equal"
    assert run(desk.answer(cem, turn, dog)) == "not_yours"
    pools.check()


def test_both_in_one_batch_are_stored_as_well(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    turn = turn_of(run, desk, ann)
    run_out(turn)
    run(desk.expire())
    give_to(ben, turn)
    said = [desk.label(person, turn, pools.choices[0]) for person in (ann, ben)]
    assert set(run(desk.run(Batch(said))).answers.values()) == {"stored"}
    assert Turn.objects.get().annotator_id == ben
    assert Label.objects.filter(late=True).get().annotator_id == ann
    pools.check()


def test_two_late_answers_to_a_free_turn_in_one_batch_are_both_stored(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    for person in pools.people[:2]:
        turn = run(desk.claim_one(person)).turn_id
        run_out(turn)
        run(desk.expire())
    said = [desk.label(person, turn, pools.choices[0]) for person in pools.people[:2]]
    assert set(run(desk.run(Batch(said))).answers.values()) == {"stored"}
    assert Turn.objects.get().state == "answered"
    pools.check()


def withdrawn(run: Run, desk: Desk, pools: Pools, people: list[int]) -> list[int]:
    """Turns that these people held at the only image until its query was withdrawn."""
    turns = [run(desk.claim_one(person)).turn_id for person in people]
    for turn in turns:
        run_out(turn)
    run(desk.expire())
    worker = EngineProcess.objects.get(campaign=pools.campaign)
    done = query.refill(
        campaign_id=pools.id,
        worker_id=worker.pk,
        picks=[],
        withdraw=[Query.objects.get(state="open").pk],
    )
    assert done.withdrawn == 1
    assert Image.objects.get().state == "unlabeled"
    return turns


def put_again(pools: Pools) -> int:
    """Put the only image into S once more."""
    worker = EngineProcess.objects.get(campaign=pools.campaign)
    return query.refill(
        campaign_id=pools.id,
        worker_id=worker.pk,
        picks=[Pick(image_id=Image.objects.get().pk, strategy="random")],
    ).put


def test_an_answer_after_the_withdrawal_of_its_query_is_stored_and_counts(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    (turn,) = withdrawn(run, desk, pools, [ann])
    assert run(desk.answer(ann, turn, pools.choices[0])) == "stored"
    assert Image.objects.get().state == "labeled"
    assert Query.objects.get().state == "withdrawn"
    assert put_again(pools) == 0, "there is nothing left to ask"
    pools.check()


def test_an_answer_to_a_withdrawn_query_closes_the_one_that_asks_the_image_now(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    (turn,) = withdrawn(run, desk, pools, [ann])
    assert put_again(pools) == 1
    assert run(desk.answer(ann, turn, pools.choices[0])) == "stored"
    assert sorted(Query.objects.values_list("state", flat=True)) == ["closed", "withdrawn"]
    assert not Turn.objects.filter(state="open").exists()
    pools.check()


def test_two_late_answers_at_once_to_a_withdrawn_query_see_each_other(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=2)
    first, second = open_desk(pools), open_desk(pools)
    ann, ben, _ = pools.people
    one, two = withdrawn(run, first, pools, [ann, ben])
    run(first.conn.execute("BEGIN"))
    run(first.answer(ann, one, pools.choices[0]))
    run(commit_when_waited_for(first.conn, second.answer(ben, two, pools.choices[0])))
    assert Consensus.objects.get().answers == 2
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_a_late_answer_while_a_worker_puts_its_image_into_s_leaves_no_query_behind(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    (turn,) = withdrawn(run, desk, pools, [ann])
    with transaction.atomic():
        assert put_again(pools) == 1
        answered = in_background(answer_alone, pools.id, ann, turn, pools.choices[0])
        until_waited_for(answered)
    assert answered.result() == "stored"
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_a_worker_that_puts_an_image_while_its_late_answer_comes_leaves_no_query_behind(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    (turn,) = withdrawn(run, desk, pools, [ann])
    run(desk.conn.execute("BEGIN"))
    run(desk.answer(ann, turn, pools.choices[0]))
    put = in_background(put_again, pools)
    until_waited_for(put, desk.conn)
    run(desk.conn.execute("COMMIT"))
    assert put.result() == 0
    pools.check()
