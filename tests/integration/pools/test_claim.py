"""The claim: exactly what was asked, at random, fairly, and never an image twice."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import pytest
from stock import add_images, ask

from al_engine.pools import campaigns, query, sizes
from al_engine.pools.models import Campaign, Query, Turn
from al_engine.pools.query import Connection
from al_engine.pools.sql import statement
from al_engine.pools.turns import Demand, LeasedTurn
from annotator_site.labeling.batch import Batch

from .conftest import MakePools, OpenConnection, OpenDesk, Pools, Run
from .desk import LEASE_SECONDS, OPTIONS, Desk, give_to, run_out

ENABLED = (
    *("hashjoin", "mergejoin", "hashagg", "material", "sort", "indexscan", "bitmapscan"),
    *("nestloop", "indexonlyscan", "incremental_sort", "memoize"),
)
HOSTILE = [
    *([name] for name in ENABLED),
    ["hashjoin", "mergejoin", "hashagg", "material", "sort"],
    ["indexscan", "bitmapscan", "indexonlyscan"],
    ["nestloop", "mergejoin", "material"],
    ["nestloop", "hashjoin"],
    list(ENABLED),
]


async def claim_at(
    conn: Connection, pools: Pools, demands: Sequence[Demand], start: float
) -> list[LeasedTurn]:
    """The common claim from a given place of the ring of keys."""
    cursor = await conn.execute(
        statement("claim"),
        {
            **query.claim_arrays(demands),
            "campaign": pools.id,
            "start": start,
            "lease_seconds": LEASE_SECONDS,
        },
    )
    return await query.read_turns(cursor)


def lay_out(pools: Pools) -> list[int]:
    """Give the open turns the keys 0, 1/n, 2/n … and return them in this order."""
    turns = list(Turn.objects.filter(campaign=pools.campaign).order_by("id"))
    for place, turn in enumerate(turns):
        turn.key = place / len(turns)
    Turn.objects.bulk_update(turns, ["key"])
    return [turn.pk for turn in turns]


@pytest.mark.parametrize("off", HOSTILE, ids="+".join)
def test_a_claim_takes_exactly_what_was_asked_whatever_the_plan(
    make_pools: MakePools, open_connection: OpenConnection, run: Run, off: list[str]
) -> None:
    pools = make_pools(120, people=2)
    settings = " ".join(f"-c enable_{name}=off" for name in off)
    conn = open_connection(f"{OPTIONS} {settings}")
    ann, ben = pools.people
    for claimed in range(0, 60, 10):
        demands = [Demand(ann, uuid4(), 3), Demand(ben, uuid4(), 2)]
        turns = run(claim_at(conn, pools, demands, claimed / 60))
        assert Counter(turn.session for turn in turns) == {
            demands[0].session: 3,
            demands[1].session: 2,
        }
        cursor = run(
            query.claim_for(
                conn,
                campaign_id=pools.id,
                demand=Demand(ann, uuid4(), 5),
                lease_seconds=LEASE_SECONDS,
            )
        )
        assert len(run(query.read_turns(cursor))) == 5
        assert Turn.objects.filter(state="leased").count() == claimed + 10
    pools.check()


def test_two_claims_at_once_never_get_the_same_turn(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(20)
    slow, quick = open_desk(pools), open_desk(pools)
    run(slow.conn.execute("BEGIN"))
    first = run(slow.claim(pools.people[0], 12))
    # The slow one has not committed: what it took is passed over, and nobody waits.
    second = run(quick.claim(pools.people[1], 20))
    third = run(quick.claim_one(pools.people[2])) if len(second) < 8 else None
    run(slow.conn.execute("COMMIT"))
    taken = [turn.turn_id for turn in [*first, *second, *([third] if third else [])]]
    assert len(first) == 12
    assert len(taken) == len(set(taken)) == 20
    pools.check()


def test_many_people_at_many_desks_empty_s_without_a_turn_given_twice(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(100, people=8)
    desks = [open_desk(pools) for _ in range(4)]

    async def serve(desk: Desk, people: list[int]) -> list[LeasedTurn]:
        return [
            turn for _ in range(10) for person in people for turn in await desk.claim(person, 2)
        ]

    async def serve_all() -> list[list[LeasedTurn]]:
        served = (serve(desk, pools.people[place::4]) for place, desk in enumerate(desks))
        return await asyncio.gather(*served)

    turns = [turn for turns in run(serve_all()) for turn in turns]
    assert len({turn.turn_id for turn in turns}) == len(turns) == 100
    pools.check()


def test_a_claim_goes_along_the_keys_from_its_start_and_wraps_round(
    make_pools: MakePools, open_connection: OpenConnection, run: Run
) -> None:
    pools = make_pools(10)
    ring = lay_out(pools)
    conn = open_connection()
    turns = run(claim_at(conn, pools, [Demand(pools.people[0], uuid4(), 4)], 0.75))
    assert {turn.turn_id for turn in turns} == {ring[8], ring[9], ring[0], ring[1]}


def test_a_claim_that_finds_too_few_gives_what_there_is(
    make_pools: MakePools, open_connection: OpenConnection, run: Run
) -> None:
    pools = make_pools(3)
    turns = run(claim_at(open_connection(), pools, [Demand(pools.people[0], uuid4(), 9)], 0.5))
    assert len(turns) == 3
    assert sizes.open_depth(campaign_id=pools.id) == 0


def test_everybody_gets_a_first_turn_before_anybody_gets_a_second(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(5, people=4)
    desk = open_desk(pools)
    demands = [Demand(person, desk.session(person).id, 20) for person in pools.people]
    turns = run(desk.run(Batch(demands=demands))).turns
    assert sorted(Counter(turn.session for turn in turns).values()) == [1, 1, 1, 2]


def test_the_start_is_at_random(make_pools: MakePools, open_desk: OpenDesk, run: Run) -> None:
    pools = make_pools(40)
    ring = lay_out(pools)
    desk = open_desk(pools)
    firsts = [run(desk.claim(pools.people[0]))[0].turn_id for _ in range(20)]
    assert firsts != sorted(firsts)
    assert max(ring.index(turn) for turn in firsts) > 20, "the high keys do not starve"


@pytest.mark.parametrize("way", ["in a batch", "alone", "exactly"])
def test_people_come_to_what_they_get_in_a_random_order(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, way: str
) -> None:
    """Images are often imported class by class: the first label would be of the first class."""
    pools = make_pools(40)
    desk, ann = open_desk(pools), pools.people[0]
    demand = Demand(ann, uuid4(), 20)
    if way == "in a batch":
        turns = run(desk.claim(ann, 20))
    elif way == "alone":
        turns = run(claim_at(desk.conn, pools, [demand], 0.0))
    else:
        cursor = run(
            query.claim_for(
                desk.conn, campaign_id=pools.id, demand=demand, lease_seconds=LEASE_SECONDS
            )
        )
        turns = run(query.read_turns(cursor))
    keys = dict(Turn.objects.filter(campaign=pools.campaign).values_list("pk", "key"))
    handed = [keys[turn.turn_id] for turn in turns]
    assert len(handed) == 20
    assert handed == sorted(handed)
    images = [turn.image_id for turn in turns]
    assert images not in (sorted(images), sorted(images, reverse=True))


@pytest.mark.parametrize("exact", [False, True], ids=["together", "exactly"])
@pytest.mark.parametrize("how", ["holds", "answered", "skipped", "answered late"])
def test_nobody_gets_an_image_twice(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, how: str, exact: bool
) -> None:
    pools = make_pools(1, answers_per_image=4)
    ann, ben, _ = pools.people
    desk = open_desk(pools)
    (turn,) = run(desk.claim(ann))
    if how == "answered":
        assert run(desk.answer(ann, turn.turn_id, pools.choices[0])) == "stored"
    elif how == "skipped":
        assert run(desk.skip(ann, turn.turn_id)) == "stored"
    elif how == "answered late":
        # The turn was somebody else's by then: the answer is there without a turn.
        run_out(turn.turn_id)
        assert run(desk.expire()) == [turn.turn_id]
        give_to(ben, turn.turn_id)
        assert run(desk.answer(ann, turn.turn_id, pools.choices[0])) == "stored"
    before = sizes.open_depth(campaign_id=pools.id)
    assert before >= 3
    if exact:
        demand = Demand(ann, uuid4(), 1)
        cursor = run(
            query.claim_for(desk.conn, campaign_id=pools.id, demand=demand, lease_seconds=9)
        )
        assert run(query.read_turns(cursor)) == []
    else:
        assert run(desk.claim(ann, 3)) == []
    assert sizes.open_depth(campaign_id=pools.id) == before
    pools.check()


def test_one_claim_gives_nobody_two_turns_of_one_image(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2, people=1, answers_per_image=5)
    (ann,) = pools.people
    desk = open_desk(pools)
    turns = run(desk.claim(ann, 10))
    turns += [run(desk.claim_one(ann)) for _ in range(2 - len(turns))]
    assert len({turn.image_id for turn in turns}) == len(turns) == 2


def test_a_lease_that_ran_out_unanswered_may_come_to_the_same_person_again(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    (turn,) = run(desk.claim(pools.people[0]))
    run_out(turn.turn_id)
    run(desk.expire())
    (again,) = run(desk.claim(pools.people[0]))
    assert again.turn_id == turn.turn_id


@pytest.mark.parametrize("state", [Campaign.State.PAUSED, Campaign.State.FINISHED])
def test_a_campaign_that_does_not_run_gives_nothing(
    make_pools: MakePools, open_desk: OpenDesk, run: Run, state: Campaign.State
) -> None:
    pools = make_pools(4)
    desk = open_desk(pools)
    assert campaigns.set_state(campaign_id=pools.id, state=state)
    assert not campaigns.set_state(campaign_id=pools.id, state=state)
    assert run(desk.claim(pools.people[0], 3)) == []
    demand = Demand(pools.people[0], uuid4(), 3)
    cursor = run(query.claim_for(desk.conn, campaign_id=pools.id, demand=demand, lease_seconds=9))
    assert run(query.read_turns(cursor)) == []
    campaigns.set_state(campaign_id=pools.id, state=Campaign.State.RUNNING)
    assert len(run(desk.claim(pools.people[0], 3))) == 3


def test_a_claim_takes_of_its_own_campaign_alone(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools, other = make_pools(2), make_pools(9)
    assert len(run(open_desk(pools).claim(pools.people[0], 9))) == 2
    assert sizes.open_depth(campaign_id=other.id) == 9


def test_a_claim_tells_what_the_person_is_shown(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1)
    desk = open_desk(pools)
    (turn,) = run(desk.claim(pools.people[0]))
    row = Turn.objects.select_related("image").get()
    assert row.lease_expires is not None
    assert turn == LeasedTurn(
        session=desk.session(pools.people[0]).id,
        turn_id=row.pk,
        image_id=row.image_id,
        key=row.image.key,
        width=8,
        height=6,
        lease_expires=row.lease_expires,
    )
    assert row.annotator_id == pools.people[0]


def test_a_batch_without_demands_claims_nothing(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    cursor = run(
        query.claim(open_desk(pools).conn, campaign_id=pools.id, demands=[], lease_seconds=9)
    )
    assert run(query.read_turns(cursor)) == []


def test_new_queries_are_found_by_the_next_claim(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(0)
    desk = open_desk(pools)
    assert run(desk.claim(pools.people[0])) == []
    add_images(pools.campaign, 2)
    ask(pools.campaign, 2)
    assert len(run(desk.claim(pools.people[0], 2))) == 2
    assert Query.objects.filter(state="open").count() == 2
