"""A newer model takes back what older ones chose and people have not come to."""

from collections.abc import Collection
from uuid import UUID

import pytest
from stock import ask, make_version

from al_engine.pools import query, supply
from al_engine.pools.models import Image, Label, Query, Turn
from al_engine.pools.turns import Spare

from .conftest import MakePools, OpenConnection, OpenDesk, Pools, Run
from .desk import Desk


def recall(
    run: Run,
    desk: Desk,
    turns: list[int],
    newest: int,
    *,
    at_random: bool = False,
    keep: int = 0,
    ready: Collection[int] = (),
    most: int = 100,
) -> set[int]:
    """Recall these turns, all of one person's; those that were taken back."""
    gone = run(
        query.recall(
            desk.conn,
            campaign_id=desk.campaign_id,
            spares=[Spare(turn, UUID(int=0), keep, turn in ready) for turn in turns],
            newest=newest,
            at_random=at_random,
            most=most,
        )
    )
    return {turn for _, turn in gone}


def claim(run: Run, desk: Desk, person: int, count: int) -> list[int]:
    """Turns of this person."""
    return [turn.turn_id for turn in run(desk.claim(person, count))]


@pytest.fixture
def pools(make_pools: MakePools) -> Pools:
    """Six images in D, nothing in S."""
    return make_pools(6, asked=0)


@pytest.fixture
def desk(pools: Pools, open_desk: OpenDesk) -> Desk:
    """Where the people of these pools sit."""
    return open_desk(pools)


@pytest.fixture
def versions(pools: Pools) -> tuple[int, int]:
    """An older and a newer one."""
    return make_version(pools.campaign, 1), make_version(pools.campaign, 2)


def test_turns_of_older_models_return_to_d_and_the_newest_stay(
    pools: Pools, desk: Desk, versions: tuple[int, int], run: Run
) -> None:
    ann, (older, newer) = pools.people[0], versions
    ask(pools.campaign, 3, version=older)
    stale = claim(run, desk, ann, 3)
    ask(pools.campaign, 3, version=newer)
    fresh = claim(run, desk, ann, 2)
    assert run(supply.filled_by(desk.conn, campaign_id=pools.id)) == (newer, 1)
    images = set(Turn.objects.filter(pk__in=stale[1:]).values_list("image_id", flat=True))
    assert recall(run, desk, [*stale[1:], *fresh], newer) == set(stale[1:])
    assert set(Image.objects.filter(state="unlabeled").values_list("pk", flat=True)) == images
    assert set(Query.objects.filter(state="withdrawn").values_list("image_id", flat=True)) == images
    pools.check()
    # Nothing is left to be taken back, and what returned to D can be asked again.
    assert recall(run, desk, [*stale[1:], *fresh], newer) == set()
    assert ask(pools.campaign, 6, version=newer) == 2
    pools.check()


def test_everybody_keeps_as_many_ready_ones_as_they_need(
    pools: Pools, desk: Desk, versions: tuple[int, int], run: Run
) -> None:
    ann, (older, newer) = pools.people[0], versions
    ask(pools.campaign, 3, version=older)
    stale = claim(run, desk, ann, 3)
    ask(pools.campaign, 3, version=newer)
    fresh = claim(run, desk, ann, 2)
    held = [*stale, *fresh]
    # Nothing is in the browser yet: two must be on their way.
    assert recall(run, desk, stale[:2], newer, keep=2) == set()
    # As long as the fresh ones are not in the browser two old ones stand in for them.
    assert recall(run, desk, held, newer, keep=2, ready=stale, most=0) == set()
    assert recall(run, desk, held, newer, keep=2, ready=stale) == {stale[0]}
    held.remove(stale[0])
    assert recall(run, desk, held, newer, keep=2, ready=[*stale[1:], fresh[0]]) == {stale[1]}
    held.remove(stale[1])
    # What a newer model asks than that which S was filled by when somebody looked.
    assert recall(run, desk, fresh, older, ready=fresh) == set()
    assert recall(run, desk, held, newer, keep=2, ready=held) == {stale[2]}
    pools.check()


def test_what_is_not_in_the_browser_goes_but_for_the_first(
    pools: Pools, desk: Desk, versions: tuple[int, int], run: Run
) -> None:
    ann, (older, newer) = pools.people[0], versions
    ask(pools.campaign, 4, version=older)
    held = claim(run, desk, ann, 4)
    assert recall(run, desk, held, newer, keep=2, ready=held[:1]) == set(held[2:])
    pools.check()


def test_no_more_are_taken_back_than_there_is_room_for(
    pools: Pools, desk: Desk, versions: tuple[int, int], run: Run
) -> None:
    ann, (older, newer) = pools.people[0], versions
    ask(pools.campaign, 6, version=older)
    held = claim(run, desk, ann, 6)
    assert recall(run, desk, held, newer, keep=1, ready=held, most=2) == set(held[:2])
    pools.check()


def test_an_answer_to_what_was_taken_back_is_kept(
    pools: Pools, desk: Desk, versions: tuple[int, int], run: Run
) -> None:
    ann, (older, newer) = pools.people[0], versions
    ask(pools.campaign, 1, version=older)
    (turn,) = claim(run, desk, ann, 1)
    assert recall(run, desk, [turn], newer) == {turn}
    assert run(desk.answer(ann, turn, pools.choices[0])) == "stored"
    assert Label.objects.get().late
    assert Image.objects.get(pk=Label.objects.get().image_id).state == "labeled"
    pools.check()


def test_audits_stay_and_random_queries_unless_they_are_to_go(
    pools: Pools, desk: Desk, versions: tuple[int, int], run: Run
) -> None:
    ann, (older, newer) = pools.people[0], versions
    ask(pools.campaign, 2)
    ask(pools.campaign, 2, version=older)
    Query.objects.filter(model_version=older).update(purpose="audit")
    held = claim(run, desk, ann, 4)
    assert run(supply.filled_by(desk.conn, campaign_id=pools.id)) == (None, 0)
    assert recall(run, desk, held, newer) == set()
    # Before there was a model everything was random, and is not what a model would ask.
    drawn = Turn.objects.filter(pk__in=held, query__purpose="active")
    assert recall(run, desk, held, newer, at_random=True) == set(drawn.values_list("pk", flat=True))
    pools.check()


def test_a_query_that_others_answer_as_well_stays(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(1, asked=0, answers_per_image=2)
    desk, (ann, bob, _) = open_desk(pools), pools.people
    older, newer = (make_version(pools.campaign, number) for number in (1, 2))
    ask(pools.campaign, 1, version=older)
    turns = [*claim(run, desk, ann, 1), *claim(run, desk, bob, 1)]
    assert recall(run, desk, turns, newer) == set()
    pools.check()


def test_what_somebody_answers_right_now_is_left_alone(
    pools: Pools, desk: Desk, versions: tuple[int, int], open_connection: OpenConnection, run: Run
) -> None:
    ann, (older, newer) = pools.people[0], versions
    ask(pools.campaign, 2, version=older)
    turns = claim(run, desk, ann, 2)
    image = Turn.objects.get(pk=turns[0]).image_id
    other = open_connection()

    async def while_it_is_held() -> list[int]:
        async with other.transaction():
            await other.execute(
                "SELECT 1 FROM pools_image WHERE id = %s FOR NO KEY UPDATE", [image]
            )
            gone = await query.recall(
                desk.conn,
                campaign_id=pools.id,
                spares=[Spare(turn, UUID(int=0), keep=0, ready=True) for turn in turns],
                newest=newer,
                at_random=False,
                most=100,
            )
        return [turn for _, turn in gone]

    assert run(while_it_is_held()) == [turns[1]]
    pools.check()


def test_the_model_that_fills_s_is_that_of_most_of_it(
    pools: Pools, desk: Desk, versions: tuple[int, int], run: Run
) -> None:
    older, newer = versions
    ask(pools.campaign, 4, version=older)
    ask(pools.campaign, 2, version=newer)
    assert run(supply.filled_by(desk.conn, campaign_id=pools.id)) == (older, 6)
