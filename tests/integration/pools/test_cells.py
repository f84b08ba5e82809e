"""Cells: D is dealt out, a cell is one worker's at a time, and the dead lose theirs."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from stock import add_images, make_campaign

from al_engine.decisions.rules import CELLS
from al_engine.pools import query, unlabeled
from al_engine.pools.models import Campaign, Cell, EngineProcess, Image, Query, Turn
from al_engine.pools.query import Pick

from .conftest import MakePools, OpenDesk, Run, in_background, new_worker, until_waited_for

HOUR = timedelta(hours=1)


@pytest.fixture
def campaign() -> Campaign:
    """A campaign with images in D and nobody who asks them."""
    campaign = make_campaign()
    add_images(campaign, 40)
    return campaign


def hire(campaign: Campaign, count: int) -> list[int]:
    """So many live workers more."""
    there = EngineProcess.objects.filter(campaign=campaign).count()
    return [new_worker(campaign, f"worker-{there + place}") for place in range(1, count + 1)]


def rounds(campaign: Campaign, workers: list[int], times: int = 2) -> dict[int, list[int]]:
    """What each worker holds after everybody had so many turns to renew."""
    held: dict[int, list[int]] = {}
    for _ in range(times):
        for worker in workers:
            held[worker] = unlabeled.hold_cells(
                campaign_id=campaign.pk, worker_id=worker, live_workers=len(workers)
            )
    return held


def die(worker: int) -> None:
    """Let everything that a worker said be too old."""
    EngineProcess.objects.filter(pk=worker).update(heartbeat_at=F("heartbeat_at") - HOUR)
    Cell.objects.filter(worker_id=worker).update(lease_expires=Now() - timedelta(milliseconds=1))


def ids(campaign: Campaign) -> list[int]:
    """The campaign's images."""
    return list(Image.objects.filter(campaign=campaign).values_list("pk", flat=True))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 10, 33, 40, 64])
def test_shares_cover_all_cells_once_and_differ_by_one_at_most(
    campaign: Campaign, count: int
) -> None:
    held = rounds(campaign, hire(campaign, count))
    cells = [cell for share in held.values() for cell in share]
    assert sorted(cells) == list(range(CELLS))
    sizes = [len(share) for share in held.values()]
    assert max(sizes) - min(sizes) <= 1


def test_more_workers_than_cells_leave_some_workers_without(campaign: Campaign) -> None:
    held = rounds(campaign, hire(campaign, CELLS + 2), times=1)
    assert sorted(map(len, held.values())) == [0, 0] + [1] * CELLS


def test_new_workers_get_their_share_from_the_others(campaign: Campaign) -> None:
    first = hire(campaign, 2)
    rounds(campaign, first)
    held = rounds(campaign, first + hire(campaign, 3), times=2)
    assert sorted(len(share) for share in held.values()) == [12, 13, 13, 13, 13]
    assert len({cell for share in held.values() for cell in share}) == CELLS


def test_a_dead_workers_cells_go_to_the_others(campaign: Campaign) -> None:
    dead, *living = hire(campaign, 3)
    lost = set(rounds(campaign, [dead, *living])[dead])
    die(dead)
    held = rounds(campaign, living)
    assert sorted(len(share) for share in held.values()) == [32, 32]
    assert lost <= {cell for share in held.values() for cell in share}


def test_a_living_workers_cells_are_not_taken(campaign: Campaign) -> None:
    first, second = hire(campaign, 2)
    mine = unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=first, live_workers=1)
    assert len(mine) == CELLS
    assert not unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=second, live_workers=1)


def test_a_worker_that_leaves_lets_go_of_everything_at_once(campaign: Campaign) -> None:
    first, second = hire(campaign, 2)
    rounds(campaign, [first, second])
    unlabeled.release_cells(worker_id=first)
    EngineProcess.objects.filter(pk=first).update(heartbeat_at=F("heartbeat_at") - HOUR)
    held = unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=second, live_workers=1)
    assert len(held) == CELLS


def test_two_workers_that_reach_for_cells_at_once_never_hold_the_same(campaign: Campaign) -> None:
    first, second = hire(campaign, 2)
    with transaction.atomic():
        # Somebody is in the midst of taking all cells; nobody waits for them.
        unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=first, live_workers=2)
        other = in_background(
            unlabeled.hold_cells, campaign_id=campaign.pk, worker_id=second, live_workers=1
        ).result()
    assert len(other) == CELLS // 2
    assert Cell.objects.filter(campaign=campaign, worker_id=first).count() == CELLS // 2


def test_an_image_stays_in_its_cell() -> None:
    assert unlabeled.cell_of("00000041" + "f" * 56) == 1
    assert {unlabeled.cell_of(f"{n:08x}" + "0" * 56) for n in range(200)} == set(range(CELLS))


def test_candidates_are_those_of_the_cells_alone_and_wrap_round(campaign: Campaign) -> None:
    cells = list(range(0, CELLS, 2))
    all_of_them = unlabeled.candidates(campaign_id=campaign.pk, cells=cells, limit=100)
    there = Image.objects.filter(campaign=campaign, cell__in=cells).order_by("position")
    assert all_of_them.tolist() == list(map(list, there.values_list("pk", "position", "cell")))
    middle = int(all_of_them[len(all_of_them) // 2, 1])
    turned = unlabeled.candidates(campaign_id=campaign.pk, cells=cells, limit=100, after=middle)
    half = len(all_of_them) // 2 + 1
    assert turned.tolist() == [*all_of_them[half:].tolist(), *all_of_them[:half].tolist()]


def test_a_random_draw_has_no_image_twice(campaign: Campaign) -> None:
    drawn = unlabeled.draw_at_random(campaign_id=campaign.pk, cells=list(range(64)), count=30)
    assert len({each.image_id for each in drawn}) == 30


# What follows from cells: nobody selects what somebody else may select.


def test_a_second_live_query_of_an_image_is_refused_by_the_database(make_pools: MakePools) -> None:
    pools = make_pools(1)
    first = Query.objects.get()
    with pytest.raises(IntegrityError, match="query_live_once"):
        Query.objects.create(
            campaign=pools.campaign, image_id=first.image_id, cell=first.cell, strategy="random"
        )


def test_a_worker_puts_images_of_its_own_cells_alone(campaign: Campaign) -> None:
    workers = hire(campaign, 2)
    held = rounds(campaign, workers)
    everything = [Pick(image_id=pk, strategy="margin") for pk in ids(campaign)]
    for worker in workers:
        put = query.refill(campaign_id=campaign.pk, worker_id=worker, picks=everything).put
        mine = Query.objects.filter(worker_id=worker)
        assert put == mine.count() > 0
        assert set(mine.values_list("cell", flat=True)) <= set(held[worker])
    assert Query.objects.count() == 40


def test_two_workers_that_put_the_same_images_at_once_ask_them_once(campaign: Campaign) -> None:
    slow, other = hire(campaign, 2)
    unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=slow, live_workers=1)
    picks = [Pick(image_id=pk, strategy="margin") for pk in ids(campaign)[:5]]

    def take_over() -> int:
        unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=other, live_workers=1)
        return query.refill(campaign_id=campaign.pk, worker_id=other, picks=picks).put

    with transaction.atomic():
        # The slow one is about to commit when its leases end and the other gets its cells.
        assert query.refill(campaign_id=campaign.pk, worker_id=slow, picks=picks[:3]).put == 3
        in_background(die, slow).result()
        same = in_background(take_over)
        until_waited_for(same)
    assert same.result() == 2
    assert Query.objects.filter(state="open").count() == 5


@pytest.mark.parametrize("how", ["its leases ended", "another took them"])
def test_a_worker_that_lost_its_cells_changes_nothing(campaign: Campaign, how: str) -> None:
    late, other = hire(campaign, 2)
    unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=late, live_workers=1)
    picks = [Pick(image_id=pk, strategy="margin") for pk in ids(campaign)]
    query.refill(campaign_id=campaign.pk, worker_id=late, picks=picks[:10])
    mine = list(Query.objects.values_list("pk", flat=True))
    die(late)
    if how == "another took them":
        unlabeled.hold_cells(campaign_id=campaign.pk, worker_id=other, live_workers=1)
    done = query.refill(campaign_id=campaign.pk, worker_id=late, picks=picks[10:], withdraw=mine)
    assert (done.put, done.withdrawn) == (0, 0)
    assert Query.objects.filter(state="open").count() == 10


def test_a_query_that_is_withdrawn_twice_at_once_is_left_to_who_holds_a_turn_of_it(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, answers_per_image=2)
    desk = open_desk(pools)
    turn = run(desk.claim_one(pools.people[0])).turn_id
    worker = EngineProcess.objects.get(campaign=pools.campaign)
    both = [Query.objects.get().pk] * 2
    done = query.refill(campaign_id=pools.id, worker_id=worker.pk, picks=[], withdraw=both)
    assert done.withdrawn == 0
    assert Turn.objects.get(pk=turn).state == "leased"
    pools.check()
