"""Who looks at D_j writes what it would ask next; who fills S takes it from there."""

from al_engine.pools import rankings
from al_engine.pools.rankings import Look, RankingProgress
from al_engine.pools.signals import listening

from .conftest import MakePools, Pools, new_worker


def look(worker: int, images: list[int], **more: list[int]) -> Look:
    """A look with falling scores, before there is a model."""
    return Look(
        worker_id=worker,
        strategy="typiclust",
        model_version_id=None,
        images=images,
        scores=[1 / (place + 1) for place in range(len(images))],
        withdraw=more.get("withdraw", []),
    )


def progress(worker: int) -> RankingProgress:
    return rankings.read_progress(worker_ids=[worker])[worker]


def two(pools: Pools) -> tuple[int, int]:
    return new_worker(pools.campaign, "one"), new_worker(pools.campaign, "other")


def test_a_look_replaces_the_one_before_it_whatever_was_used_of_that(
    make_pools: MakePools,
) -> None:
    pools = make_pools(0)
    one, other = two(pools)
    assert rankings.read_progress(worker_ids=[one, other]) == {}
    rankings.begin(worker_ids=[one, other])
    assert progress(one) == RankingProgress(number=0, used=0, left=0)
    rankings.store(campaign_id=pools.id, looks=[look(one, [5, 6, 7]), look(other, [])])
    rankings.use(used={one: (1, 2)})
    assert progress(one) == RankingProgress(number=1, used=2, left=1)
    rankings.store(campaign_id=pools.id, looks=[look(one, [8, 9], withdraw=[4])])
    assert progress(one) == RankingProgress(number=2, used=0, left=2)
    # Who fills S was at the look before: that says nothing of this one.
    rankings.use(used={one: (1, 3)})
    assert progress(one) == RankingProgress(number=2, used=0, left=2)
    (row,) = rankings.read(worker_ids=[one])
    assert (row.images, row.scores, row.withdraw) == ([8, 9], [1.0, 0.5], [4])


def test_a_worker_that_starts_again_keeps_what_it_ranked(make_pools: MakePools) -> None:
    pools = make_pools(0)
    worker = new_worker(pools.campaign, "one")
    rankings.store(campaign_id=pools.id, looks=[look(worker, [5, 6])])
    rankings.begin(worker_ids=[worker])
    assert progress(worker).left == 2


def test_who_fills_s_is_told_of_a_look(make_pools: MakePools) -> None:
    pools = make_pools(0)
    worker = new_worker(pools.campaign, "one")
    with listening(pools.id) as listener:
        assert listener.wait("ranked", seconds=0)  # one may have been missed before
        assert not listener.wait("ranked", seconds=0)
        rankings.store(campaign_id=pools.id, looks=[look(worker, [5])])
        # It is remembered while something else is waited for.
        assert not listener.wait("hungry", seconds=0.05)
        assert listener.wait("ranked", seconds=0)
        assert not listener.wait("ranked", seconds=0)
