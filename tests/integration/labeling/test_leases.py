"""A lease that ends takes the query out of a buffer; what a person did with it counts all the same.

Leases are ended here as time would end them: by a lease_expires in the past.
"""

from datetime import UTC, datetime

from stock import Person, choices_of, make_annotator, make_campaign, shut_out, stock

from al_engine.pools import signals
from al_engine.pools.models import Assignment, Campaign, Label

from .client import Client
from .conftest import Connect


def run_out(*queries: int) -> None:
    """Let the leases of these queries have ended long ago."""
    ended = Assignment.objects.filter(pk__in=queries, state="leased").update(
        lease_expires=datetime(2020, 1, 1, tzinfo=UTC)
    )
    assert ended == len(queries)


def test_a_lease_that_ran_out_is_revoked_and_replaced(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready(buffer=3)
    held = client.queries(3)
    run_out(held[1])
    client.expect("revoke", query=held[1])
    client.queries(1)
    leased = Assignment.objects.filter(campaign=campaign, state="leased")
    assert leased.count() == 3


def test_a_query_whose_lease_ran_out_goes_to_others(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    ann, ben = make_annotator(campaign), make_annotator(campaign)
    client = connect(campaign, ann)
    client.ready()
    (query,) = client.queries(1)
    other = connect(campaign, ben)
    other.ready()
    other.expect("idle", reason="pool_empty")
    shut_out(ann)  # or the one who just lost it might be the next to claim it
    signals.notify("campaign", campaign.pk)
    assert client.close_code() == 4403
    run_out(query)
    assert other.queries(1) == [query]


def test_a_late_label_is_stored_all_the_same(connect: Connect, transactional_db: None) -> None:
    campaign = make_campaign(answers_per_image=2)
    stock(campaign, 1)
    cat, dog = choices_of(campaign)
    ann, ben, eve = (make_annotator(campaign) for _ in range(3))
    away = connect(campaign, ann)
    away.ready()
    (query,) = away.queries(1)
    away.close()
    run_out(query)
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
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready()
    (query,) = client.queries(1)
    client.close()
    run_out(query)
    other = connect(campaign, ann)
    other.ready(buffer=20)
    other.queries(20)
    other.request({"type": "skip", "query": query, "reason": "unsure"})
    assert "nack" not in {frame["type"] for frame in other.settle()}
    assert not Label.objects.filter(campaign=campaign).exists()


def test_who_works_keeps_the_rest_of_the_buffer_however_long_it_takes(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign(lease_seconds=5)
    stock(campaign, 30)
    cat, _ = choices_of(campaign)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=2)
    first, second = client.queries(2)
    begun = Assignment.objects.get(pk=second).lease_expires
    client.label(first, cat)
    await_renewal(client, second, begun)
    assert client.label(second, cat)["type"] == "ack"
    assert "revoke" not in {frame["type"] for frame in client.settle()}


def await_renewal(client: Client, query: int, before: datetime | None) -> None:
    """Returns once the lease of a query ends later than it did."""
    assert before is not None
    while True:
        now = Assignment.objects.get(pk=query)
        assert now.state == "leased"
        assert now.lease_expires is not None
        if now.lease_expires > before:
            return
        client.settle()  # takes a round of the desk, and does not count as work


def test_who_does_nothing_is_not_given_one_query_after_another(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign(lease_seconds=5)
    stock(campaign, 10)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=2)
    held = client.queries(2)
    for query in held:
        client.expect("revoke", query=query)
    assert not Assignment.objects.filter(campaign=campaign, state="leased").exists()
    # Saying that one is there is enough.
    client.ready(buffer=2)
    assert len(client.queries(2)) == 2
