"""Refills: a selection and what it replaces change together, and nobody's work is taken away."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, transaction
from django.db.models.functions import Now

from al_engine.pools import excluded, query, sizes, supply, unlabeled
from al_engine.pools.excluded import Fault
from al_engine.pools.models import EngineProcess, Image, Label, Query, Turn
from al_engine.pools.query import Pick, Refill, Refilled

from .conftest import MakePools, OpenDesk, Pools, Run, new_worker
from .desk import Desk, run_out


def refill(pools: Pools, picks: list[int], withdraw: list[int]) -> Refilled:
    """What the campaign's only worker does."""
    return query.refill(
        campaign_id=pools.id,
        worker_id=EngineProcess.objects.get(campaign=pools.campaign).pk,
        picks=[Pick(image_id=image, strategy="entropy", score=0.5) for image in picks],
        withdraw=withdraw,
    )


def all_queries() -> list[int]:
    """Every query there is."""
    return list(Query.objects.order_by("pk").values_list("pk", flat=True))


def test_a_withdrawn_query_gives_its_image_back_to_d(make_pools: MakePools) -> None:
    pools = make_pools(3)
    asked = all_queries()
    done = refill(pools, [], asked[:2])
    assert (done.put, done.withdrawn) == (0, 2)
    assert sizes.sizes(campaign_id=pools.id).unlabeled == 2
    row = Query.objects.get(pk=asked[0])
    assert row.state == "withdrawn"
    assert row.closed_at is not None
    assert set(row.turns.values_list("state", flat=True)) == {"cancelled"}
    assert refill(pools, [], asked[:2]).withdrawn == 0, "a second time there is nothing to do"
    pools.check()


def test_an_image_that_was_withdrawn_can_be_asked_again(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    refill(pools, [], all_queries())
    assert refill(pools, [Image.objects.get().pk], []).put == 1
    desk, ann = open_desk(pools), pools.people[0]
    run(desk.answer(ann, run(desk.claim_one(ann)).turn_id, pools.choices[0]))
    assert Image.objects.get().state == "labeled"
    pools.check()


async def hold(desk: Desk, ann: int, ben: int, choice: int) -> None:
    await desk.claim_one(ann)


async def answer(desk: Desk, ann: int, ben: int, choice: int) -> None:
    await desk.answer(ann, (await desk.claim_one(ann)).turn_id, choice)


async def skip(desk: Desk, ann: int, ben: int, choice: int) -> None:
    await desk.skip(ann, (await desk.claim_one(ann)).turn_id)


async def answer_late(desk: Desk, ann: int, ben: int, choice: int) -> None:
    """Ann's turn was ben's for a while, who let it run out as well."""
    turn = (await desk.claim_one(ann)).turn_id
    for holder in (ann, ben):
        if holder == ben:
            await desk.conn.execute(
                """UPDATE pools_turn SET state = 'leased', annotator_id = %s,
                          session = gen_random_uuid(), lease_expires = now() WHERE id = %s""",
                [ben, turn],
            )
            await desk.answer(ann, turn, choice)
        await desk.conn.execute(
            "UPDATE pools_turn SET lease_expires = now() - interval '1 h' WHERE id = %s",
            [turn],
        )
        assert await desk.expire() == [turn]


@pytest.mark.parametrize("touch", [hold, answer, skip, answer_late])
def test_a_query_that_somebody_touched_is_not_withdrawn(
    make_pools: MakePools,
    open_desk: OpenDesk,
    run: Run,
    touch: Callable[[Desk, int, int, int], Coroutine[Any, Any, None]],
) -> None:
    pools = make_pools(1, answers_per_image=3)
    ann, ben, _ = pools.people
    run(touch(open_desk(pools), ann, ben, pools.choices[0]))
    assert refill(pools, [], all_queries()).withdrawn == 0
    assert Image.objects.get().state == "queried"
    pools.check()


def test_a_query_whose_turn_is_being_claimed_now_is_not_withdrawn(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2, answers_per_image=2)
    desk = open_desk(pools)
    run(desk.conn.execute("BEGIN"))
    turn = run(desk.claim_one(pools.people[0]))
    # The claim is not committed: for the worker the turn is open, and its row is locked.
    assert refill(pools, [], all_queries()).withdrawn == 1
    run(desk.conn.execute("COMMIT"))
    assert Image.objects.get(pk=turn.image_id).state == "queried"
    pools.check()


def test_a_query_whose_answer_is_being_stored_now_is_not_withdrawn(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn = run(desk.claim_one(ann)).turn_id
    run_out(turn)
    run(desk.expire())
    run(desk.conn.execute("BEGIN"))
    run(desk.answer(ann, turn, pools.choices[0]))
    assert refill(pools, [], all_queries()).withdrawn == 0
    run(desk.conn.execute("COMMIT"))
    assert Image.objects.get().state == "labeled"
    pools.check()


def test_a_claim_passes_over_what_is_being_withdrawn(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(3)
    desk = open_desk(pools)
    asked = all_queries()
    with transaction.atomic():
        assert refill(pools, [], asked[:2]).withdrawn == 2
        claimed = run(desk.claim(pools.people[0], 3))
    assert len(claimed) == 1
    assert Turn.objects.get(pk=claimed[0].turn_id).query_id == asked[2]
    pools.check()


def test_a_selection_and_what_it_replaces_change_in_one_transaction(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(6, asked=3)
    fresh = list(Image.objects.filter(state="unlabeled").values_list("pk", flat=True))
    watcher = open_desk(pools).conn
    count = "SELECT count(*) FROM pools_turn WHERE state = 'open'"
    with transaction.atomic():
        done = refill(pools, fresh, all_queries())
        assert (done.put, done.withdrawn) == (3, 3)
        seen = run(run(watcher.execute(count)).fetchall())
        assert seen == [(3,)], "nobody sees a half of it"
    assert set(Query.objects.filter(state="open").values_list("image_id", flat=True)) == set(fresh)
    pools.check()


def test_a_refill_that_fails_changes_nothing(make_pools: MakePools) -> None:
    pools = make_pools(4, asked=2)
    (image, *_) = Image.objects.filter(state="unlabeled").values_list("pk", flat=True)
    worker = EngineProcess.objects.get().pk
    too_long = [Pick(image_id=image, strategy="x" * 61)]
    with pytest.raises(DataError, match="too long"):
        query.refill(campaign_id=pools.id, worker_id=worker, picks=too_long, withdraw=all_queries())
    assert Query.objects.filter(state="open").count() == 2
    pools.check()


def test_images_that_are_not_in_d_are_left_out_of_a_selection(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(5, asked=2)
    other = make_pools(1, asked=0)
    desk, ann = open_desk(pools), pools.people[0]
    run(desk.answer(ann, run(desk.claim_one(ann)).turn_id, pools.choices[0]))
    broken = Image.objects.filter(campaign=pools.campaign, state="unlabeled")[0]
    fault = Fault("undecodable", "broken")
    excluded.set_aside(campaign_id=pools.id, faults={broken.pk: fault}, asked=False)
    everything = list(Image.objects.values_list("pk", flat=True))
    assert Image.objects.filter(campaign=other.campaign).exists()
    # Each of them twice, too.
    assert refill(pools, everything + everything, []).put == 2
    pools.check()
    other.check()


def test_each_query_gets_as_many_turns_as_the_campaign_wants_answers(
    make_pools: MakePools,
) -> None:
    pools = make_pools(2, answers_per_image=4)
    assert sizes.open_depth(campaign_id=pools.id) == 8
    keys = list(Turn.objects.values_list("key", flat=True))
    assert len(set(keys)) == 8
    assert all(0 <= key < 1 for key in keys)
    pools.check()


def test_the_untouched_open_queries_of_a_cell_are_the_depth_of_s(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(6, answers_per_image=2)
    desk = open_desk(pools)
    held = run(desk.claim_one(pools.people[0]))
    found = supply.open_queries(campaign_id=pools.id, cells=list(range(64)))
    assert {each.image_id for each in found} == set(
        Image.objects.exclude(pk=held.image_id).values_list("pk", flat=True)
    )
    one = found[0]
    image = Image.objects.get(pk=one.image_id)
    assert (one.position, one.cell, one.purpose) == (image.position, image.cell, "active")
    inside = supply.open_queries(campaign_id=pools.id, cells=[one.cell])
    assert one in inside
    assert all(each.cell == one.cell for each in inside)


def test_workers_of_one_process_refill_together_each_from_its_own_cells(
    make_pools: MakePools,
) -> None:
    pools = make_pools(40, asked=0)
    first = EngineProcess.objects.get(campaign=pools.campaign).pk
    second = new_worker(pools.campaign, "worker-2")
    for _ in range(2):
        held = {
            worker: unlabeled.hold_cells(campaign_id=pools.id, worker_id=worker, live_workers=2)
            for worker in (first, second)
        }
    images = tuple(Image.objects.values_list("pk", flat=True))
    everything = [
        Refill(worker, tuple(Pick(image, f"strategy of {worker}") for image in images))
        for worker in (first, second)
    ]
    assert query.refill_together(campaign_id=pools.id, refills=everything).put == 40
    for worker, cells in held.items():
        mine = Query.objects.filter(worker_id=worker)
        assert set(mine.values_list("strategy", flat=True)) == {f"strategy of {worker}"}
        assert set(mine.values_list("cell", flat=True)) <= set(cells)
    # Who lost its cells takes nothing out; the other does, in the same transaction.
    unlabeled.release_cells(worker_id=second)
    everybodys = tuple(all_queries())
    done = query.refill_together(
        campaign_id=pools.id, refills=[Refill(first, (), everybodys), Refill(second, (), ())]
    )
    assert done.withdrawn == Query.objects.filter(worker_id=first).count() > 0
    pools.check()


# Pruning.


def test_old_withdrawn_queries_are_deleted(make_pools: MakePools) -> None:
    pools = make_pools(4)
    asked = all_queries()
    refill(pools, [], asked[:3])
    Query.objects.filter(pk__in=asked[:2]).update(closed_at=Now() - timedelta(minutes=11))
    assert query.prune_withdrawn(campaign_id=pools.id, older_than_seconds=600) == 2
    assert all_queries() == asked[2:]
    assert Turn.objects.count() == 2
    pools.check()


def test_pruning_goes_oldest_first_and_stops_at_its_limit(make_pools: MakePools) -> None:
    pools = make_pools(4)
    asked = all_queries()
    refill(pools, [], asked)
    for age, each in enumerate(asked):
        Query.objects.filter(pk=each).update(closed_at=Now() - timedelta(hours=1 + age))
    assert query.prune_withdrawn(campaign_id=pools.id, older_than_seconds=60, limit=3) == 3
    assert all_queries() == asked[:1]


def test_a_withdrawn_query_that_somebody_may_still_answer_is_kept(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk, ann = open_desk(pools), pools.people[0]
    turn = run(desk.claim_one(ann)).turn_id
    run_out(turn)
    run(desk.expire())
    refill(pools, [], all_queries())
    Query.objects.update(closed_at=Now() - timedelta(days=1))
    assert query.prune_withdrawn(campaign_id=pools.id, older_than_seconds=600) == 0
    assert run(desk.answer(ann, turn, pools.choices[0])) == "stored"
    assert query.prune_withdrawn(campaign_id=pools.id, older_than_seconds=600) == 0
    assert Label.objects.count() == 1
    pools.check()
