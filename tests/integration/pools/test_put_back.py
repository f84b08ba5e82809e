"""What is out can be put back, for everybody; what was said before does not count any more."""

import asyncio
from importlib import import_module
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from stock import ask

from al_engine.pools import excluded, signals
from al_engine.pools.excluded import Fault
from al_engine.pools.models import Image, Label, PastSkip, Turn

from .conftest import MakePools, OpenDesk, Run
from .desk import Desk

GONE = Fault("gone", "The storage has no such file.")


async def call_unusable(desk: Desk, people: list[int]) -> None:
    for person in people:
        await desk.skip(person, (await desk.claim_one(person)).turn_id, "bad_image")


def put_back_one() -> None:
    image = Image.objects.get()
    assert image.state == "excluded"
    assert excluded.put_back(image_ids=[image.pk]) == [image.pk]


def test_an_image_that_is_put_back_is_asked_again(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=4)
    desk = open_desk(pools)
    run(call_unusable(desk, pools.people[:2]))
    with signals.listening(pools.id) as listener:
        listener.wait("pool", seconds=5)
        put_back_one()
        assert listener.wait("pool", seconds=5), "workers look at D at once"
    image = Image.objects.get()
    assert (image.state, image.problem) == ("unlabeled", "")
    pools.check()
    assert ask(pools.campaign, 1) == 1
    run(desk.say(pools.people[2], pools.choices[0]))
    assert Image.objects.get().state == "labeled"
    pools.check()


@pytest.mark.parametrize("who", range(5))
def test_it_comes_to_everybody_also_to_who_skipped_it_or_could_not_see_it(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, who: int
) -> None:
    pools = make_pools(1, people=5)
    desk = open_desk(pools)
    unsure, blind, *against, _ = pools.people
    run(desk.skip(unsure, run(desk.claim_one(unsure)).turn_id, "unsure"))
    run(desk.report(blind, run(desk.claim_one(blind)).turn_id))
    run(call_unusable(desk, against))
    put_back_one()
    ask(pools.campaign, 1)
    assert len(run(desk.claim(pools.people[who]))) == 1
    pools.check()


def test_who_skipped_it_and_why_is_kept(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    run(call_unusable(desk, pools.people[:2]))
    told = sorted(Turn.objects.filter(state="skipped").values_list("pk", "annotator_id"))
    put_back_one()
    past = PastSkip.objects.filter(reason="bad_image", sender="person", skipped_at__isnull=False)
    assert sorted(past.values_list("turn", "annotator_id")) == told
    assert not Turn.objects.filter(state="skipped").exists()


def test_who_answered_it_never_gets_it_again(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=4, answers_per_image=2)
    desk = open_desk(pools)
    ann, *others = pools.people
    run(desk.say(ann, pools.choices[0]))
    run(call_unusable(desk, others[:2]))
    put_back_one()
    assert Image.objects.get().state == "queried", "it is asked on, where it was"
    assert run(desk.claim(ann)) == []
    run(desk.say(others[0], pools.choices[0]))
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_who_took_their_answer_back_meanwhile_may_get_it_again(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=4, answers_per_image=3)
    desk = open_desk(pools)
    ann, *others = pools.people
    message = uuid4()
    turn = run(desk.claim_one(ann)).turn_id
    run(desk.answer(ann, turn, pools.choices[0], id_=message))
    run(call_unusable(desk, others[:2]))
    run(desk.undo(ann, message))
    put_back_one()
    ask(pools.campaign, 1)
    assert len(run(desk.claim(ann))) == 1
    pools.check()


def test_an_image_that_waits_in_s_is_asked_again_of_who_skipped_it(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=1)
    desk, (ann,) = open_desk(pools), pools.people
    run(desk.skip(ann, run(desk.claim_one(ann)).turn_id, "unsure"))
    assert run(desk.claim(ann)) == []
    image = Image.objects.get()
    assert excluded.put_back(image_ids=[image.pk]) == [image.pk]
    run(desk.say(ann, pools.choices[0]))
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_a_skip_that_comes_again_after_that_has_no_second_effect(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=2)
    desk = open_desk(pools)
    turns = {person: run(desk.claim_one(person)).turn_id for person in pools.people[:1]}
    for person, turn in turns.items():
        run(desk.skip(person, turn, "bad_image"))
    excluded.put_back(image_ids=[Image.objects.get().pk])
    for person, turn in turns.items():
        assert run(desk.skip(person, turn, "bad_image")) == "stored"
    assert not Turn.objects.filter(state="skipped").exists()
    pools.check()


def test_a_lease_from_before_it_was_out_counts_no_further_answer(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    ann, ben, _ = pools.people
    held = run(desk.claim_one(ann)).turn_id
    image = Image.objects.get()
    excluded.set_aside(campaign_id=pools.id, faults={image.pk: GONE}, asked=True)
    put_back_one()
    ask(pools.campaign, 1)
    run(desk.say(ben, pools.choices[0]))
    assert run(desk.answer(ann, held, pools.choices[1])) == "stored"
    assert Label.objects.get(annotator_id=ann).late, "kept beside the one that was wanted"
    pools.check()


def test_what_was_said_before_does_not_count_after(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=5)
    desk = open_desk(pools)
    first, second, third, fourth, _ = pools.people
    run(call_unusable(desk, [first, second]))
    put_back_one()
    ask(pools.campaign, 1)
    run(call_unusable(desk, [third]))
    assert Image.objects.get().state == "queried", "one new voice and two old ones"
    pools.check()
    run(call_unusable(desk, [fourth]))
    assert Image.objects.get().state == "excluded"
    assert Turn.objects.filter(state="skipped", skipped_at=None).count() == 0
    pools.check()


@pytest.mark.parametrize("answers", [1, 2])
def test_answers_that_it_has_already_count(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, answers: int
) -> None:
    pools = make_pools(1, people=5, answers_per_image=4)
    desk = open_desk(pools)
    holders = [(person, run(desk.claim_one(person)).turn_id) for person in pools.people[:answers]]
    run(call_unusable(desk, pools.people[3:]))
    for person, turn in holders:
        run(desk.answer(person, turn, pools.choices[0]))
    assert Image.objects.get().state == "excluded"
    put_back_one()
    assert Image.objects.get().state == "queried"
    pools.check()


def test_an_image_with_enough_answers_goes_on_to_l(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=4, answers_per_image=2)
    desk = open_desk(pools)
    ann, ben, *others = pools.people
    held = [(person, run(desk.claim_one(person)).turn_id) for person in (ann, ben)]
    Turn.objects.filter(state="open").delete()
    run(desk.conn.execute("INSERT INTO pools_turn (campaign_id, query_id, image_id) "
        "SELECT campaign_id, id, image_id FROM pools_query, generate_series(1, 2)"))  # fmt: skip
    run(call_unusable(desk, others))
    for person, turn in held:
        run(desk.answer(person, turn, pools.choices[1]))
    put_back_one()
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_what_was_not_out_and_not_skipped_stays_as_it_is(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(4, people=4, asked=3)
    desk = open_desk(pools)
    run(desk.say(pools.people[0], pools.choices[0]))
    run(desk.claim_one(pools.people[1]))
    before = list(Image.objects.order_by("pk").values())
    turns = list(Turn.objects.order_by("pk").values())
    assert excluded.put_back(image_ids=Image.objects.values_list("pk", flat=True)) == []
    assert list(Image.objects.order_by("pk").values()) == before
    assert list(Turn.objects.order_by("pk").values()) == turns


@pytest.mark.parametrize("split", ["pool", "holdout", "gold"])
def test_what_a_machine_set_aside_returns_to_where_it_was(
    make_pools: MakePools, split: str
) -> None:
    pools = make_pools(1, asked=0)
    state = "unlabeled" if split == "pool" else "reserved"
    with connection.cursor() as cursor:  # as an import has it
        cursor.execute("ALTER TABLE pools_image DISABLE TRIGGER pools_image_arrow")
        Image.objects.update(split=split, state=state)
        cursor.execute("ALTER TABLE pools_image ENABLE TRIGGER pools_image_arrow")
    image = Image.objects.get()
    out = excluded.set_aside(campaign_id=pools.id, faults={image.pk: GONE}, asked=False)
    assert out == [image.pk]
    assert excluded.set_aside(campaign_id=pools.id, faults={image.pk: GONE}, asked=False) == []
    image.refresh_from_db()
    assert (image.state, image.excluded_for, image.problem) == ("excluded", "gone", GONE.words)
    pools.check()
    put_back_one()
    image.refresh_from_db()
    assert (image.state, image.excluded_for, image.problem) == (state, "", "")
    pools.check()


def test_two_who_put_it_back_at_once_do_it_once(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    run(call_unusable(desk, pools.people[:2]))
    image = Image.objects.get().pk

    async def both() -> list[list[int]]:
        again = asyncio.to_thread(put_back_in_thread, image)
        return list(await asyncio.gather(again, asyncio.to_thread(put_back_in_thread, image)))

    assert sorted(run(both())) == [[], [image]]
    pools.check()


def test_what_was_put_back_by_an_earlier_version_is_for_everybody_too(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2, people=1)
    desk = open_desk(pools)
    (ann,) = pools.people
    run(desk.skip(ann, (before := run(desk.claim_one(ann))).turn_id, "bad_image"))
    run(desk.skip(ann, run(desk.claim_one(ann)).turn_id, "unsure"))
    Image.objects.filter(pk=before.image_id).update(put_back_at=Now())
    Turn.objects.update(skip_sender="")
    migration = import_module("al_engine.pools.migrations.0004_storage_failures")
    with connection.cursor() as cursor:
        # Turns were called assignments when it was written.
        cursor.execute(migration.NAME.replace("pools_assignment", "pools_turn"))
    past = PastSkip.objects.get()
    assert (past.turn, past.annotator_id, past.reason) == (before.turn_id, ann, "bad_image")
    assert Turn.objects.get(state="skipped").skip_sender == "person"
    assert [turn.image_id for turn in run(desk.claim(ann, 5))] == [before.image_id]
    pools.check()


def put_back_in_thread(image_id: int) -> list[int]:
    from django.db import connections

    try:
        return excluded.put_back(image_ids=[image_id])
    finally:
        connections.close_all()
