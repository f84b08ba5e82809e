"""Skips: the person never sees the image again, somebody else does; two bad votes exclude it."""

from uuid import uuid4

import pytest

from al_engine.pools.models import Image, Label, Query, Turn
from annotator_site.labeling.batch import Batch, Submission
from annotator_site.labeling.protocol import SkipMessage

from .conftest import MakePools, OpenDesk, Run, commit_when_waited_for
from .desk import give_to, run_out


def turn_states() -> list[str]:
    """Of the only image."""
    return sorted(Turn.objects.values_list("state", flat=True))


@pytest.mark.parametrize("reason", ["unsure", "bad_image", "other"])
def test_a_skip_opens_a_turn_for_somebody_else(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, reason: str
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    turn = run(desk.claim_one(ann)).turn_id
    assert run(desk.skip(ann, turn, reason)) == "stored"
    skipped = Turn.objects.get(pk=turn)
    assert (skipped.state, skipped.skip_reason, skipped.annotator_id) == ("skipped", reason, ann)
    assert (skipped.session, skipped.lease_expires) == (None, None)
    assert run(desk.claim(ann, 5)) == []
    other = run(desk.claim_one(ben))
    assert other.turn_id != turn
    assert run(desk.answer(ben, other.turn_id, pools.choices[0])) == "stored"
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_a_skip_that_comes_again_has_no_second_effect(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    first, second = open_desk(pools), open_desk(pools)
    ann = pools.people[0]
    turn = run(first.claim_one(ann)).turn_id
    for desk in (first, second, first):
        assert run(desk.skip(ann, turn)) == "stored"
    assert turn_states() == ["open", "skipped"]
    pools.check()


def test_a_skip_that_comes_over_two_connections_at_once_has_one_effect(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    first, second = open_desk(pools), open_desk(pools)
    ann = pools.people[0]
    turn = run(first.claim_one(ann)).turn_id
    run(first.conn.execute("BEGIN"))
    run(first.skip(ann, turn))
    assert run(commit_when_waited_for(first.conn, second.skip(ann, turn))) == "stored"
    assert turn_states() == ["open", "skipped"]
    pools.check()


def test_a_skip_twice_in_one_batch_has_one_effect(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn = run(desk.claim_one(ann)).turn_id
    twice = [
        Submission(desk.session(ann), SkipMessage(uuid4(), turn, reason))
        for reason in ("unsure", "other")
    ]
    assert run(desk.run(Batch(twice))).skips == {(ann, turn): "stored"}
    assert turn_states() == ["open", "skipped"]
    pools.check()


def test_each_refusal_of_a_skip_says_which_it_is(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    turn = run(desk.claim_one(ann)).turn_id
    assert run(desk.skip(ann, 10**15)) == "unknown_query"
    assert run(desk.skip(ben, turn)) == "not_yours"
    run(desk.answer(ann, turn, pools.choices[0]))
    assert run(desk.skip(ann, turn)) == "too_late"
    assert turn_states() == ["answered"]
    pools.check()


def test_a_lease_that_ran_out_needs_no_skipping(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    turn = run(desk.claim_one(ann)).turn_id
    run_out(turn)
    run(desk.expire())
    assert run(desk.skip(ann, turn)) == "stored"
    give_to(ben, turn)
    assert run(desk.skip(ann, turn)) == "stored"
    assert turn_states() == ["leased"]
    pools.check()


def test_an_image_that_two_people_call_bad_leaves_the_pools(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, cem = pools.people
    run(desk.skip(ann, run(desk.claim_one(ann)).turn_id, "bad_image"))
    assert Image.objects.get().state == "queried", "one voice is not enough"
    run(desk.skip(ben, run(desk.claim_one(ben)).turn_id, "bad_image"))
    image = Image.objects.get()
    assert (image.state, bool(image.problem)) == ("excluded", True)
    assert Query.objects.get().state == "closed"
    assert turn_states() == ["cancelled", "skipped", "skipped"]
    assert run(desk.claim(cem)) == []
    pools.check()


def test_two_people_who_call_it_bad_in_one_batch_are_two(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=2)
    desk = open_desk(pools)
    skips = [
        Submission(
            desk.session(person),
            SkipMessage(uuid4(), run(desk.claim_one(person)).turn_id, "bad_image"),
        )
        for person in pools.people[:2]
    ]
    run(desk.run(Batch(skips)))
    assert Image.objects.get().state == "excluded"
    pools.check()


def test_two_people_who_call_it_bad_at_once_see_each_other(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=2)
    first, second = open_desk(pools), open_desk(pools)
    ann, ben, _ = pools.people
    one, two = run(first.claim_one(ann)).turn_id, run(second.claim_one(ben)).turn_id
    run(first.conn.execute("BEGIN"))
    run(first.skip(ann, one, "bad_image"))
    run(commit_when_waited_for(first.conn, second.skip(ben, two, "bad_image")))
    assert Image.objects.get().state == "excluded"
    pools.check()


def test_one_person_who_calls_it_bad_twice_is_one(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=3)
    desk, ann = open_desk(pools), pools.people[0]
    turn = run(desk.claim_one(ann)).turn_id
    for _ in range(3):
        run(desk.skip(ann, turn, "bad_image"))
    assert run(desk.claim(ann, 3)) == []
    assert Image.objects.get().state == "queried"
    pools.check()


def test_people_who_are_unsure_exclude_nothing(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    for person, reason in zip(pools.people, ("unsure", "other", "bad_image"), strict=True):
        run(desk.skip(person, run(desk.claim_one(person)).turn_id, reason))
    assert Image.objects.get().state == "queried"
    pools.check()


def test_who_still_holds_an_excluded_image_may_answer_it_but_it_stays_out(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=3)
    desk = open_desk(pools)
    ann, ben, cem = pools.people
    held = run(desk.claim_one(cem)).turn_id
    for person in (ann, ben):
        run(desk.skip(person, run(desk.claim_one(person)).turn_id, "bad_image"))
    assert run(desk.answer(cem, held, pools.choices[0])) == "stored"
    assert Image.objects.get().state == "excluded"
    assert Label.objects.count() == 1
    pools.check()


def test_a_lease_of_an_excluded_image_ends_for_good(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=3)
    desk = open_desk(pools)
    ann, ben, cem = pools.people
    held = run(desk.claim_one(cem)).turn_id
    for person in (ann, ben):
        run(desk.skip(person, run(desk.claim_one(person)).turn_id, "bad_image"))
    run_out(held)
    run(desk.expire())
    assert Turn.objects.get(pk=held).state == "cancelled"
    pools.check()


def test_bad_votes_that_come_after_the_decision_take_nothing_back(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, cem = pools.people
    turn = run(desk.claim_one(ann)).turn_id
    run(desk.skip(ann, turn, "bad_image"))
    turn = run(desk.claim_one(ben)).turn_id
    run_out(turn)
    run(desk.expire())
    give_to(cem, turn)
    run(desk.answer(ben, turn, pools.choices[0]))
    run(desk.skip(cem, turn, "bad_image"))
    assert Image.objects.get().state == "labeled"
    pools.check()
