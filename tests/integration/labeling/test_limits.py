"""Who is too fast, too loud or too slow harms nobody but themselves."""

from contextlib import suppress
from uuid import uuid4

import pytest
from stock import Person, choices_of, make_annotator, make_campaign, stock
from websockets.exceptions import ConnectionClosed

from al_engine.pools.models import Campaign, Label

from .conftest import Connect
from .web import process_at, resident_mib


def test_who_is_too_fast_is_told_so_and_loses_nothing(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign(messages_per_second=50)
    stock(campaign, 20)
    cat, _ = choices_of(campaign)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=20)
    held = client.queries(20)
    while client.skip(0)["code"] != "rate_limited":
        pass
    refusals = 0
    for query in held:
        id_ = str(uuid4())
        while (answer := client.label(query, cat, id_=id_))["type"] == "nack":
            assert answer["code"] == "rate_limited"
            refusals += 1
    assert refusals > 0
    assert Label.objects.filter(campaign=campaign).count() == 20


def test_the_limit_is_one_persons_over_all_their_connections(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign(messages_per_second=1)
    stock(campaign, 12)
    person = make_annotator(campaign)
    clients = [connect(campaign, person) for _ in range(5)]
    for client in clients:
        client.ready()
        client.queries(1)
    for client in clients:
        client.send({"type": "skip", "id": str(uuid4()), "query": 0, "reason": "other"})
    codes = [client.expect("nack")["code"] for client in clients]
    assert "unknown_query" in codes
    assert "rate_limited" in codes
    other = connect(campaign, make_annotator(campaign))
    assert other.skip(0)["code"] == "unknown_query"


def test_a_new_limit_holds_for_who_is_there_already(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    assert client.skip(0)["code"] == "unknown_query"
    Campaign.objects.filter(pk=campaign.pk).update(messages_per_second=1)
    while client.skip(0)["code"] != "rate_limited":
        pass


@pytest.mark.parametrize("limit", [0, 1])
def test_who_sends_rubbish_for_long_is_sent_away(
    connect: Connect, transactional_db: None, limit: int
) -> None:
    campaign = make_campaign(messages_per_second=limit)
    client = connect(campaign, make_annotator(campaign))
    nacks = 0
    with suppress(ConnectionClosed):
        while True:
            client.connection.send("no JSON")
            assert client.expect("nack")["code"] == "bad_message"
            nacks += 1
    assert client.close_code() == 4429
    assert nacks == 100 if limit == 0 else 3 <= nacks <= 40


def test_a_client_that_does_not_read_stops_nobody(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    cat, _ = choices_of(campaign)
    # One frame fits into its queue; after that nothing is read from its socket.
    deaf = connect(campaign, ann, max_queue=1)
    deaf.ready(buffer=20)
    for _ in range(500):
        deaf.send({"type": "skip", "id": str(uuid4()), "query": 0, "reason": "other"})
    client = connect(campaign, ben)
    client.ready(buffer=4)
    for _ in range(10):
        assert client.label(client.queries(1)[0], cat)["type"] == "ack"
    deaf.drop()


def test_a_hundred_clients_that_never_read_are_sent_away_and_cost_little(
    connect: Connect, transactional_db: None, live_site: str
) -> None:
    # Few: they are too many for it on a busy machine, too.
    campaign = make_campaign(messages_per_second=8)
    stock(campaign, 200)
    cat, _ = choices_of(campaign)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=4)
    people = [make_annotator(campaign) for _ in range(20)]
    # One frame fits into the queue of each; after that nothing is read from its socket.
    deaf = [connect(campaign, person, max_queue=1) for person in people for _ in range(5)]
    web = process_at(live_site)
    before = resident_mib(web)
    for each in deaf:
        with suppress(ConnectionClosed):
            each.ready(buffer=1)
            for _ in range(400):
                each.send({"type": "skip", "id": str(uuid4()), "query": 0, "reason": "other"})
    for _ in range(10):
        assert client.label(client.queries(1)[0], cat)["type"] == "ack"
    for each in deaf:
        # 1006: it was cut off, because it did not take in the reason either.
        assert each.close_code() in (4429, 1006)
    assert process_at(live_site) == web
    assert resident_mib(web) - before < 64


@pytest.mark.parametrize("size", [100_000, 200_000, 3_000_000])
def test_an_oversized_frame_harms_its_sender_at_most(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person, size: int
) -> None:
    cat, _ = choices_of(campaign)
    loud, client = connect(campaign, ann), connect(campaign, ben)
    client.ready(buffer=2)
    with suppress(ConnectionClosed):  # before it could send all of it
        loud.connection.send("x" * size)
    assert client.label(client.queries(1)[0], cat)["type"] == "ack"
    if size < 131_072:
        assert loud.expect("nack")["code"] == "bad_message"
    else:
        assert loud.close_code() in (1006, 1009)
    assert client.label(client.queries(1)[0], cat)["type"] == "ack"


def test_asking_for_queries_again_and_again_is_too_fast_like_anything_else(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign(messages_per_second=1)
    stock(campaign, 3)
    client = connect(campaign, make_annotator(campaign))
    with suppress(ConnectionClosed):  # before it could send all of it
        for _ in range(200):
            client.ready(resume=str(uuid4()))
    assert client.close_code() == 4429


def test_a_person_who_leaves_in_the_middle_of_everything_is_forgotten(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    cat, _ = choices_of(campaign)
    for _ in range(12):
        passing = connect(campaign, ann)
        passing.ready(buffer=3)
        passing.send({"type": "skip", "id": str(uuid4()), "query": 0, "reason": "other"})
        passing.drop()
    client = connect(campaign, ben)
    client.ready()
    assert client.label(client.queries(1)[0], cat)["type"] == "ack"
