"""Following L: whoever asks again from the horizon it was given misses no row."""

from uuid import uuid4

from al_engine.pools import labeled
from al_engine.pools.models import Consensus, Query
from annotator_site.labeling.batch import Batch

from .conftest import MakePools, OpenDesk, Pools, Run


class Follower:
    """A server that reads what is new in L."""

    def __init__(self, pools: Pools) -> None:
        self.pools = pools
        self.horizon = 0
        self.labels: dict[int, int | None] = {}

    def read(self) -> set[int]:
        """Take in what is new, and return whose state that was."""
        rows, horizon = labeled.follow(campaign_id=self.pools.id, since=self.horizon)
        assert horizon >= self.horizon, "a horizon never goes back"
        self.horizon = horizon
        self.labels |= {row.image_id: row.choice_id for row in rows}
        return {row.image_id for row in rows}


def test_a_row_of_an_older_transaction_that_commits_after_a_younger_one_is_not_missed(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(3)
    older, younger = open_desk(pools), open_desk(pools)
    ann, ben, _ = pools.people
    cat = pools.choices[0]
    one, two = run(older.claim_one(ann)), run(younger.claim_one(ben))
    follower = Follower(pools)
    run(older.conn.execute("BEGIN"))
    run(older.answer(ann, one.turn_id, cat))
    run(younger.answer(ben, two.turn_id, cat))
    # The younger one is there; the older one still runs, and nobody sees what it did.
    assert follower.read() == {two.image_id}
    ids = dict(Consensus.objects.values_list("image_id", "changed_in"))
    run(older.conn.execute("COMMIT"))
    ids |= dict(Consensus.objects.values_list("image_id", "changed_in"))
    assert ids[one.image_id] < ids[two.image_id], "the wrong order indeed"
    assert one.image_id in follower.read()
    assert follower.labels == {one.image_id: cat, two.image_id: cat}


def test_a_transaction_that_began_before_but_wrote_after_the_reading_is_not_missed(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    slow, quick = open_desk(pools), open_desk(pools)
    ann, ben, _ = pools.people
    one, two = run(slow.claim_one(ann)), run(quick.claim_one(ben))
    follower = Follower(pools)
    run(slow.conn.execute("BEGIN"))
    # It has its number before anything of it can be seen.
    run(slow.conn.execute("SELECT pg_current_xact_id()"))
    run(quick.answer(ben, two.turn_id, pools.choices[0]))
    follower.read()
    follower.read()
    run(slow.answer(ann, one.turn_id, pools.choices[0]))
    run(slow.conn.execute("COMMIT"))
    assert one.image_id in follower.read()
    assert set(follower.labels) == {one.image_id, two.image_id}


def test_a_transaction_that_is_rolled_back_leaves_nothing_and_hides_nothing(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    failing, other = open_desk(pools), open_desk(pools)
    ann, ben, _ = pools.people
    one, two = run(failing.claim_one(ann)), run(other.claim_one(ben))
    follower = Follower(pools)
    run(failing.conn.execute("BEGIN"))
    run(failing.answer(ann, one.turn_id, pools.choices[0]))
    run(other.answer(ben, two.turn_id, pools.choices[0]))
    follower.read()
    run(failing.conn.execute("ROLLBACK"))
    follower.read()
    assert set(follower.labels) == {two.image_id}
    run(failing.answer(ann, one.turn_id, pools.choices[1]))
    follower.read()
    assert set(follower.labels) == {one.image_id, two.image_id}
    pools.check()


def test_once_nobody_is_under_way_the_next_reading_brings_nothing_again(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(5)
    desk, ann = open_desk(pools), pools.people[0]
    said = [desk.label(ann, turn.turn_id, pools.choices[0]) for turn in run(desk.claim(ann, 5))]
    run(desk.run(Batch(said)))
    follower = Follower(pools)
    assert len(follower.read()) == 5
    assert follower.read() == set()
    repeated = run(desk.run(Batch(said)))
    assert set(repeated.answers.values()) == {"repeated"}
    assert follower.read() == set(), "a repeated message is no news"


def test_an_empty_l_has_a_horizon_as_well(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools, other = make_pools(1), make_pools(1)
    follower = Follower(pools)
    assert follower.read() == set()
    assert follower.horizon > 0
    desk = open_desk(other)
    ann = other.people[0]
    run(desk.answer(ann, run(desk.claim_one(ann)).turn_id, other.choices[0]))
    assert follower.read() == set(), "another campaign's labels are none of its business"


def test_a_row_tells_the_place_in_the_cache_and_whether_it_is_an_audit(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    desk, ann = open_desk(pools), pools.people[0]
    audit = Query.objects.order_by("pk")[0]
    Query.objects.filter(pk=audit.pk).update(purpose="audit")
    for turn in run(desk.claim(ann, 2)):
        assert run(desk.answer(ann, turn.turn_id, pools.choices[1], id_=uuid4())) == "stored"
    rows, _ = labeled.follow(campaign_id=pools.id, since=0)
    assert {(row.image_id, row.position) for row in rows} == set(
        pools.campaign.images.values_list("pk", "position")
    )
    assert {row.image_id: row.purpose for row in rows}[audit.image_id] == "audit"
    assert sorted(row.purpose for row in rows) == ["active", "audit"]
    assert {(row.choice_id, row.confidence) for row in rows} == {(pools.choices[1], 1.0)}
