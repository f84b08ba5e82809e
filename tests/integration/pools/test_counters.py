"""The sizes of the pools are counted by the database itself, whoever writes."""

import asyncio

from django.db import connection, transaction
from stock import add_images, make_campaign

from al_engine.pools import campaigns, sizes
from al_engine.pools.models import (
    Annotator,
    Campaign,
    Cell,
    Choice,
    Consensus,
    Counter,
    EngineProcess,
    Image,
    Label,
    ModelVersion,
    Query,
    Sample,
    Turn,
)
from al_engine.pools.query import Connection
from al_engine.pools.sizes import Sizes
from annotator_site.labeling.batch import Batch

from .conftest import MakePools, OpenConnection, OpenDesk, Pools, Run, in_background
from .desk import Desk


def test_images_that_come_change_state_and_go_are_counted(make_pools: MakePools) -> None:
    pools = make_pools(6, asked=4)
    assert sizes.sizes(campaign_id=pools.id) == Sizes(2, 4, 0, 0, 0, 0)
    Image.objects.filter(state="unlabeled").update(state="excluded", excluded_for="gone")
    assert sizes.sizes(campaign_id=pools.id) == Sizes(0, 4, 0, 2, 0, 0)
    Image.objects.filter(state="excluded")[0].delete()
    assert sizes.sizes(campaign_id=pools.id) == Sizes(0, 4, 0, 1, 0, 0)
    pools.check()
    Image.objects.all().delete()
    assert sizes.sizes(campaign_id=pools.id) == Sizes(0, 0, 0, 0, 0, 0)


def test_reserved_images_are_counted_apart_and_are_nothing_to_ask(make_pools: MakePools) -> None:
    pools = make_pools(3)
    Image.objects.bulk_create(
        Image(
            campaign=pools.campaign, position=100 + place, sha256=f"{place}", name="x", key="x",
            width=1, height=1, size=1, cell=0, split="holdout", state="reserved",
        )
        for place in range(5)
    )  # fmt: skip
    now = sizes.sizes(campaign_id=pools.id)
    assert (now.reserved, now.total) == (5, 3)
    pools.check()


def test_a_change_that_moves_no_image_counts_nothing(make_pools: MakePools) -> None:
    pools = make_pools(3)
    before = list(Counter.objects.order_by("pk").values_list())
    Image.objects.update(name="another")
    Image.objects.filter(pk=0).update(state="excluded", excluded_for="gone")
    assert list(Counter.objects.order_by("pk").values_list()) == before
    pools.check()


def test_what_is_rolled_back_was_never_counted(make_pools: MakePools) -> None:
    pools = make_pools(3, asked=0)
    with transaction.atomic():
        add_images(pools.campaign, 2)
        assert sizes.sizes(campaign_id=pools.id).unlabeled == 5
        transaction.set_rollback(True)
    assert sizes.sizes(campaign_id=pools.id).unlabeled == 3


def test_one_statement_counts_for_every_campaign_that_it_touches(make_pools: MakePools) -> None:
    one, two = make_pools(3, asked=0), make_pools(4, asked=0)
    Image.objects.update(state="excluded", excluded_for="gone")
    assert sizes.sizes(campaign_id=one.id).excluded == 3
    assert sizes.sizes(campaign_id=two.id).excluded == 4


def test_an_undo_takes_no_answer_off_the_count(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(2)
    desk, ann = open_desk(pools), pools.people[0]
    said = desk.label(ann, run(desk.claim_one(ann)).turn_id, pools.choices[0])
    run(desk.run(Batch([said])))
    run(desk.undo(ann, said.message.id))
    assert sizes.sizes(campaign_id=pools.id) == Sizes(0, 2, 0, 0, 0, 1)
    assert run(desk.progress()).answers == 1
    pools.check()


def test_the_counts_are_right_when_many_write_at_once(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools = make_pools(60, people=6)
    desks = [open_desk(pools) for _ in range(3)]

    async def label_all(desk: Desk, people: list[int]) -> None:
        for person in people:
            for turn in await desk.claim(person, 10):
                await desk.answer(person, turn.turn_id, pools.choices[0])

    async def label_everywhere() -> None:
        await asyncio.gather(
            *(label_all(desk, pools.people[place::3]) for place, desk in enumerate(desks))
        )

    importing = in_background(add_images, pools.campaign, 30)
    run(label_everywhere())
    importing.result()
    now = sizes.sizes(campaign_id=pools.id)
    assert (now.labeled, now.unlabeled, now.answers) == (60, 30, 60)
    assert Counter.objects.filter(campaign=pools.campaign).count() > 1, "writers seldom meet"
    pools.check()


def test_backends_whose_process_ids_share_a_slot_do_not_wait_for_each_other(
    make_pools: MakePools, open_connection: OpenConnection, run: Run
) -> None:
    pools = make_pools(2, asked=0)
    one, two = sharing_a_slot(open_connection)
    change = "UPDATE pools_image SET state = 'excluded', excluded_for = 'gone' WHERE position = %s"
    run(one.execute("BEGIN"))
    run(one.execute(change, [0]))
    run(two.execute("SET lock_timeout = '50ms'"))
    run(two.execute(change, [1]))
    run(one.execute("COMMIT"))
    assert sizes.sizes(campaign_id=pools.id) == Sizes(0, 0, 0, 2, 0, 0)
    # Alone again, a backend has its own slot back.
    run(one.execute("UPDATE pools_image SET state = 'unlabeled', excluded_for = ''"))
    assert Counter.objects.filter(campaign=pools.campaign, slot=one.info.backend_pid % 16).exists()
    assert sizes.sizes(campaign_id=pools.id).unlabeled == 2
    pools.check()


def sharing_a_slot(open_connection: OpenConnection) -> tuple[Connection, Connection]:
    """Two connections whose backends begin at the same of the sixteen slots."""
    by_slot: dict[int, Connection] = {}
    while True:
        conn = open_connection()
        slot = conn.info.backend_pid % 16
        if slot in by_slot:
            return by_slot[slot], conn
        by_slot[slot] = conn


def test_a_campaign_is_deleted_with_everything_in_it_and_nothing_else(
    make_pools: MakePools, open_desk: OpenDesk, run: Run
) -> None:
    pools, other = in_use(make_pools, open_desk, run), in_use(make_pools, open_desk, run)
    before = rows(other)
    pools.campaign.delete()
    assert set(rows(pools).values()) == {0}
    assert rows(other) == before
    other.check()


def in_use(make_pools: MakePools, open_desk: OpenDesk, run: Run) -> Pools:
    """A campaign with something in every table."""
    pools = make_pools(8, asked=6, answers_per_image=2)
    desk, ann = open_desk(pools), pools.people[0]
    worker = EngineProcess.objects.get(campaign=pools.campaign)
    version = ModelVersion.objects.create(
        campaign=pools.campaign, version=1, server=worker, architecture="x", labels_seen=0,
        trained_on=0, train_seconds=1, sha256="", size=1,
    )  # fmt: skip
    Query.objects.filter(campaign=pools.campaign).update(model_version=version)
    Image.objects.filter(campaign=pools.campaign).update(known_choice_id=pools.choices[0])
    run(desk.skip(ann, run(desk.claim_one(ann)).turn_id))
    for person, answers in ((ann, 4), (pools.people[1], 5)):
        for _ in range(answers):
            said = desk.label(person, run(desk.claim_one(person)).turn_id, pools.choices[0])
            run(desk.run(Batch([said])))
    run(desk.undo(pools.people[1], said.message.id))
    pools.check()
    Sample.objects.create(
        campaign=pools.campaign, source="here:1", seconds=5, connected=1, answers=1, dry=0,
        waits=[], unlabeled=1, queried=1, labeled=1, open_queries=1, target_depth=1,
    )  # fmt: skip
    return pools


def rows(pools: Pools) -> dict[str, int]:
    """How many rows of each table are this campaign's."""
    tables = (
        *(Annotator, Turn, Cell, Choice, Consensus, Counter, EngineProcess, Image, Label),
        *(ModelVersion, Query, Sample),
    )
    return {
        table.__name__: table._default_manager.filter(campaign_id=pools.id).count()
        for table in tables
    } | {"Campaign": Campaign.objects.filter(pk=pools.id).count()}


def test_a_campaign_without_images_is_of_no_size() -> None:
    campaign = make_campaign()
    assert sizes.sizes(campaign_id=campaign.pk) == Sizes(0, 0, 0, 0, 0, 0)
    assert sizes.open_depth(campaign_id=campaign.pk) == 0
    assert campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.PAUSED)


def test_no_count_walks_a_pool(make_pools: MakePools) -> None:
    pools = make_pools(3)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('pools_count_images'::regproc)")
        (text,) = cursor.fetchone()
    assert "pools_image" not in text.replace("pools_count_images", "")
    pools.check()
