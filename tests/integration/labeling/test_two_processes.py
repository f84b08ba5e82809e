"""Two web processes serve one campaign as if they were one."""

from collections import Counter
from uuid import uuid4

import pytest
from stock import Person, ask, choices_of, make_annotator, make_campaign, stock

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Label, Turn

from .client import Client
from .conftest import Connect


@pytest.fixture
def here(connect: Connect, campaign: Campaign, ann: Person) -> Client:
    """A connection to the one process."""
    return connect(campaign, ann)


@pytest.fixture
def there(connect: Connect, campaign: Campaign, ben: Person, second_site: str) -> Client:
    """A connection of somebody else to the other process."""
    return connect(campaign, ben, site=second_site)


def test_people_at_two_processes_share_the_queries_and_never_meet(
    connect: Connect, second_site: str, transactional_db: None
) -> None:
    campaign = make_campaign()
    stock(campaign, 60 + 6 * 4)
    cat, _ = choices_of(campaign)
    clients = [connect(campaign, make_annotator(campaign)) for _ in range(3)]
    clients += [connect(campaign, make_annotator(campaign), site=second_site) for _ in range(3)]
    for client in clients:
        client.ready(buffer=4)
    for _ in range(10):
        # Both are in the middle of it at once.
        for client in clients:
            (query,) = client.queries(1)
            client.send({"type": "label", "id": str(uuid4()), "query": query,
                         "choice": cat, "shown_ms": 2})  # fmt: skip
    for client in clients:
        assert "nack" not in {frame["type"] for frame in client.settle()}
    answers = Counter(Label.objects.filter(campaign=campaign).values_list("image_id", flat=True))
    assert len(answers) == 60
    assert set(answers.values()) == {1}
    turns = Turn.objects.filter(campaign=campaign)
    assert Counter(turns.values_list("state", flat=True)) == {"answered": 60, "leased": 24}


def test_both_processes_hear_that_the_campaign_pauses_and_goes_on(
    here: Client, there: Client, campaign: Campaign
) -> None:
    for client in (here, there):
        client.ready(buffer=3)
        client.queries(3)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.PAUSED)
    for client in (here, there):
        client.expect("idle", reason="paused")
    assert not Turn.objects.filter(campaign=campaign, state="leased").exists()
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.RUNNING)
    for client in (here, there):
        assert len(client.queries(3)) == 3


def test_both_processes_hear_that_there_is_something_in_s(
    connect: Connect, second_site: str, transactional_db: None
) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    clients = [connect(campaign, make_annotator(campaign))]
    clients += [connect(campaign, make_annotator(campaign), site=second_site)]
    clients[0].ready()
    clients[0].queries(1)
    clients[1].ready()
    clients[1].expect("idle", reason="pool_empty")
    clients[0].ready(buffer=2)
    stock(campaign, 2)
    assert clients[0].queries(1) != clients[1].queries(1)
    assert ask(campaign, 1) == 0


def test_a_session_is_resumed_at_the_other_process(
    connect: Connect, second_site: str, campaign: Campaign, ann: Person, here: Client
) -> None:
    cat, _ = choices_of(campaign)
    session = here.expect("welcome")["session"]
    here.ready(buffer=4)
    held = here.queries(4)
    here.close()
    moved = connect(campaign, ann, site=second_site)
    moved.ready(buffer=4, resume=session)
    assert set(moved.queries(4)) == set(held)
    label = moved.label(held[0], cat)["id"]
    # And what was done there is undone here.
    back = connect(campaign, ann)
    assert back.undo(label)["type"] == "ack"
    assert back.queries(1) == [held[0]]


def test_the_same_message_at_both_processes_has_one_effect(
    connect: Connect, second_site: str, campaign: Campaign, ann: Person, here: Client
) -> None:
    cat, _ = choices_of(campaign)
    elsewhere = connect(campaign, ann, site=second_site)
    here.ready(buffer=10)
    for query in here.queries(10):
        message = {"type": "label", "id": str(uuid4()), "query": query,
                   "choice": cat, "shown_ms": 2}  # fmt: skip
        for client in (here, elsewhere):
            client.send(message)
        for client in (here, elsewhere):
            client.expect("ack", id=message["id"])
    assert Label.objects.filter(campaign=campaign).count() == 10
