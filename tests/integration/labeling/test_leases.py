"""A lease that ends takes the query out of a buffer; what a person did with it counts all the same.

Leases are ended here as time would end them: by a lease_expires in the past.
"""

import time
from datetime import UTC, datetime

from stock import Person, choices_of, make_annotator, make_campaign, stock

from al_engine.pools.models import Campaign, Label, Turn

from .client import PATIENCE_S
from .conftest import Connect


def run_out(*queries: int) -> None:
    """Let the leases of these queries have ended long ago."""
    ended = Turn.objects.filter(pk__in=queries, state="leased").update(
        lease_expires=datetime(2020, 1, 1, tzinfo=UTC)
    )
    assert ended == len(queries)


def shorten_leases(campaign: Campaign, *, seconds: int) -> None:
    """Shorter than the settings allow, for a test that waits for the end of a lease."""
    Campaign.objects.filter(pk=campaign.pk).update(lease_seconds=seconds)


def test_a_lease_that_ran_out_is_revoked_and_replaced(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready(buffer=3)
    held = client.queries(3)
    run_out(held[1])
    client.expect("revoke", query=held[1])
    client.queries(1)
    leased = Turn.objects.filter(campaign=campaign, state="leased")
    assert leased.count() == 3


def test_a_late_label_is_stored_all_the_same(connect: Connect, transactional_db: None) -> None:
    campaign = make_campaign(answers_per_image=2, resume_seconds=0)
    stock(campaign, 1)
    cat, dog = choices_of(campaign)
    ann, ben, eve = (make_annotator(campaign) for _ in range(3))
    away = connect(campaign, ann)
    away.ready()
    (query,) = away.queries(1)
    away.close()
    # Both turns at the image are others' by now, and one of them is through.
    others = [connect(campaign, ben), connect(campaign, eve)]
    turns = []
    for client in others:
        client.ready()
        turns += client.queries(1)
    assert query in turns
    assert others[0].label(turns[0], cat)["type"] == "ack"
    back = connect(campaign, ann)
    assert back.label(query, dog)["progress"] == {"labeled": 1, "total": 1, "mine": 1}
    assert others[1].label(turns[1], cat)["type"] == "ack"
    labels = Label.objects.filter(campaign=campaign).order_by("id")
    assert [(row.annotator_id, row.choice_id, row.late) for row in labels] == [
        (ben.annotator_id, cat, False),
        (ann.annotator_id, dog, True),
        (eve.annotator_id, cat, False),
    ]


def test_a_late_skip_is_accepted_and_changes_nothing(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign(resume_seconds=0)
    stock(campaign, 1)
    ann, ben = make_annotator(campaign), make_annotator(campaign)
    client = connect(campaign, ann)
    client.ready()
    (query,) = client.queries(1)
    client.close()
    other = connect(campaign, ben)
    other.ready()
    assert other.queries(1) == [query]
    assert connect(campaign, ann).skip(query)["type"] == "ack"
    turn = Turn.objects.get(campaign=campaign)
    assert (turn.state, turn.annotator_id) == ("leased", ben.annotator_id)


def test_who_works_keeps_the_rest_of_the_buffer_however_long_it_takes(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    shorten_leases(campaign, seconds=6)
    stock(campaign, 30)
    cat, _ = choices_of(campaign)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=2)
    first, second = client.queries(2)
    begun = Turn.objects.get(pk=second).lease_expires
    client.label(first, cat)
    await_renewal(second, begun)
    assert client.label(second, cat)["type"] == "ack"
    assert "revoke" not in {frame["type"] for frame in client.settle()}


def await_renewal(query: int, before: datetime | None) -> None:
    """Returns once the lease of a query ends later than it did."""
    assert before is not None
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        now = Turn.objects.get(pk=query)
        assert now.state == "leased"
        assert now.lease_expires is not None
        if now.lease_expires > before:
            return
    raise AssertionError("the lease was not renewed")


def test_who_does_nothing_loses_the_queries_to_others_and_gets_no_new_ones(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    shorten_leases(campaign, seconds=3)
    stock(campaign, 2)
    gone = make_annotator(campaign)
    away = connect(campaign, gone)
    away.ready(buffer=2)
    held = away.queries(2)
    waiting = connect(campaign, make_annotator(campaign))
    waiting.ready(buffer=2)
    waiting.expect("idle", reason="pool_empty")
    for query in held:
        away.expect("revoke", query=query)
    assert set(waiting.queries(2)) == set(held)
    # New queries go to whoever is there.
    stock(campaign, 4)
    newcomer = connect(campaign, make_annotator(campaign))
    newcomer.ready(buffer=1)
    newcomer.queries(1)
    leased = Turn.objects.filter(campaign=campaign, state="leased")
    assert not leased.filter(annotator_id=gone.annotator_id).exists()
    # Saying that one is there is enough.
    away.ready(buffer=2)
    assert len(away.queries(2)) == 2
