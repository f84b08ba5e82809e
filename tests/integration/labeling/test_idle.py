"""Who has nothing to label is told why, and is served by itself as soon as there is something."""

import pytest
from stock import (
    Person,
    add_gold,
    add_images,
    ask,
    choices_of,
    make_annotator,
    make_campaign,
    shut_out,
    stock,
)

from al_engine.pools import campaigns, processes, signals
from al_engine.pools.models import Campaign, Label, Turn

from .client import refusal
from .conftest import Connect

PAUSED, RUNNING, FINISHED = Campaign.State.PAUSED, Campaign.State.RUNNING, Campaign.State.FINISHED


def test_an_empty_pool_is_told_and_what_comes_into_it_is_pushed(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    add_images(campaign, 4)
    clients = [connect(campaign, make_annotator(campaign)) for _ in range(2)]
    for client in clients:
        client.ready(buffer=5)
        client.expect("idle", reason="pool_empty")
    for _ in range(2):
        assert ask(campaign, 2) == 2
        # Everybody gets a first one before anybody gets a second.
        assert clients[0].queries(1) != clients[1].queries(1)


def test_an_empty_pool_says_what_will_happen(connect: Connect, transactional_db: None) -> None:
    campaign = make_campaign()
    add_images(campaign, 2)
    client = connect(campaign, make_annotator(campaign))
    client.ready()
    client.expect("idle", reason="pool_empty", detail="no_workers")
    (worker,) = [processes.register(campaign_id=campaign.pk, role="worker", name="worker-1")]
    processes.heartbeat(parts=[worker])
    client.expect("idle", reason="pool_empty", detail="choosing")
    assert ask(campaign, 2) == 2
    for query in client.queries(1):
        client.skip(query)
    for query in client.queries(1):
        client.skip(query)
    client.expect("idle", reason="pool_empty", detail="nothing_left_for_you")


def test_a_campaign_without_images_says_so_until_some_come(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    add_gold(campaign, None, 1)
    client = connect(campaign, make_annotator(campaign))
    client.ready()
    client.expect("idle", reason="pool_empty", detail="no_images")
    add_images(campaign, 2)
    assert ask(campaign, 2) == 2
    client.queries(1)


def test_an_idle_reason_is_told_once(connect: Connect, transactional_db: None) -> None:
    campaign = make_campaign()
    stock(campaign, 1)
    other = connect(campaign, make_annotator(campaign))
    other.ready()
    other.queries(1)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=5)
    client.expect("idle", reason="pool_empty")
    for _ in range(3):
        signals.notify("pool", campaign.pk)
    signals.notify("campaign", campaign.pk)
    assert [frame["type"] for frame in client.settle()] == ["welcome"]


@pytest.mark.parametrize(("state", "reason"), [(PAUSED, "paused"), (FINISHED, "finished")])
def test_a_stopped_campaign_takes_back_what_people_hold_and_says_why(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person, state: str, reason: str
) -> None:
    holder, waiting = connect(campaign, ann), connect(campaign, ben)
    holder.ready(buffer=3)
    held = holder.queries(3)
    waiting.ready(buffer=2)
    waiting.queries(2)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State(state))
    for query in held:
        holder.expect("revoke", query=query)
    holder.expect("idle", reason=reason)
    waiting.expect("idle", reason=reason)
    assert not Turn.objects.filter(campaign=campaign, state="leased").exists()
    campaigns.set_state(campaign_id=campaign.pk, state=RUNNING)
    assert len(holder.queries(3)) == 3
    assert len(waiting.queries(2)) == 2


@pytest.mark.parametrize(("state", "reason"), [(PAUSED, "paused"), (FINISHED, "finished")])
def test_who_comes_to_a_stopped_campaign_is_told_why(
    connect: Connect, campaign: Campaign, ann: Person, state: str, reason: str
) -> None:
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State(state))
    client = connect(campaign, ann)
    client.ready(buffer=3)
    client.expect("idle", reason=reason)
    assert "query" not in {frame["type"] for frame in client.settle()}


def test_what_was_in_hand_when_the_campaign_paused_can_still_be_answered(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    cat, _ = choices_of(campaign)
    client = connect(campaign, ann)
    client.ready(buffer=2)
    held = client.queries(2)
    label = client.label(held[0], cat)["id"]
    campaigns.set_state(campaign_id=campaign.pk, state=PAUSED)
    client.expect("idle", reason="paused")
    assert client.label(held[1], cat)["type"] == "ack"
    assert Label.objects.filter(campaign=campaign).count() == 2
    # Undoing opens a query again, so it waits until the campaign goes on.
    assert client.undo(label)["code"] == "paused"
    campaigns.set_state(campaign_id=campaign.pk, state=RUNNING)
    client.queries(2)
    assert client.undo(label)["type"] == "ack"


def test_the_last_answer_finishes_the_work(connect: Connect, transactional_db: None) -> None:
    campaign = make_campaign()
    stock(campaign, 2)
    cat, _ = choices_of(campaign)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=5)
    for query in client.queries(2):
        client.label(query, cat)
    client.expect("idle", reason="finished")
    # An undo brings the person back to work, and so do new images.
    label = Label.objects.filter(campaign=campaign).latest("id")
    client.undo(str(label.client_id))
    assert client.queries(1) == [label.turn_id]
    client.label(label.turn_id, cat)
    client.expect("idle", reason="finished")
    stock(campaign, 1)
    client.queries(1)


def test_a_budget_that_is_spent_finishes_the_campaign(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign(budget=3)
    stock(campaign, 10)
    cat, _ = choices_of(campaign)
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=5)
    for query in client.queries(3):
        client.label(query, cat)
    client.expect("idle", reason="finished")
    campaign.refresh_from_db()
    assert campaign.state == FINISHED


def test_who_is_shut_out_while_connected_is_sent_away(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    gone, staying = connect(campaign, ann), connect(campaign, ben)
    gone.ready(buffer=3)
    gone.queries(3)
    staying.ready(buffer=3)
    staying.queries(3)
    shut_out(ann)
    assert gone.close_code() == 4403
    assert [frame["type"] for frame in staying.settle()] == ["welcome"]


def test_a_campaign_that_is_deleted_sends_everybody_away_and_leaves_its_slug_to_another(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    person = make_annotator(campaign)
    client = connect(campaign, person)
    client.expect("welcome")
    slug = campaign.slug
    campaign.delete()
    # Their part in it has gone as well, and may be missed first.
    assert client.close_code() in (4404, 4403)
    assert refusal(lambda: connect(slug, person))["status"] == 404
    another = make_campaign()
    Campaign.objects.filter(pk=another.pk).update(slug=slug)
    assert connect(slug, make_annotator(another)).expect("welcome")
