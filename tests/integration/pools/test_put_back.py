"""What people called unusable can be put back, and then the same people do not take it out."""

import asyncio

import pytest
from stock import ask

from al_engine.pools import excluded, signals, unlabeled
from al_engine.pools.models import Assignment, Image

from .conftest import MakePools, OpenDesk, Run
from .desk import Desk


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
    assert run(desk.claim(pools.people[0])) == [], "who skipped it never gets it again"
    run(desk.say(pools.people[2], pools.choices[0]))
    assert Image.objects.get().state == "labeled"
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
    assert Assignment.objects.filter(state="skipped", skipped_at=None).count() == 0
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
    assert Image.objects.get().state == "unlabeled"
    pools.check()


def test_an_image_with_enough_answers_goes_on_to_l(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, people=4, answers_per_image=2)
    desk = open_desk(pools)
    ann, ben, *others = pools.people
    held = [(person, run(desk.claim_one(person)).turn_id) for person in (ann, ben)]
    Assignment.objects.filter(state="open").delete()
    run(desk.conn.execute("INSERT INTO pools_assignment (campaign_id, query_id, image_id) "
        "SELECT campaign_id, id, image_id FROM pools_query, generate_series(1, 2)"))  # fmt: skip
    run(call_unusable(desk, others))
    for person, turn in held:
        run(desk.answer(person, turn, pools.choices[1]))
    put_back_one()
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_nothing_else_is_put_back(make_pools: MakePools, open_desk: OpenDesk, run: Run) -> None:
    pools = make_pools(3, people=4, asked=1)
    images = {image.state: image for image in Image.objects.order_by("-state")}
    broken = images["unlabeled"]
    unlabeled.exclude(campaign_id=pools.id, problems={broken.position: "It cannot be read."})
    assert excluded.put_back(image_ids=Image.objects.values_list("pk", flat=True)) == []
    assert Image.objects.get(pk=broken.pk).state == "excluded"
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


def put_back_in_thread(image_id: int) -> list[int]:
    from django.db import connections

    try:
        return excluded.put_back(image_ids=[image_id])
    finally:
        connections.close_all()
