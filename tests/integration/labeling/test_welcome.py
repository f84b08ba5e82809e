"""What a client gets when it comes: a complete welcome, then a full buffer that stays full."""

from datetime import UTC, datetime, timedelta

import pytest
from stock import Person, ask, choices_of, make_annotator, make_campaign, stock

from al_engine.pools.models import Campaign, Choice, Image, Turn

from .conftest import Connect


def test_the_welcome_comes_first_and_is_complete(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    Campaign.objects.filter(pk=campaign.pk).update(instructions="Look **twice**.")
    client = connect(campaign, ann)
    client.ready(buffer=2)
    client.queries(2)
    welcome = client.inbox[0]
    assert client.connection.subprotocol == "nowait.v1"
    assert set(welcome) == {
        *("type", "protocol", "session", "annotator", "campaign", "choices_version", "choices"),
        *("lease_seconds", "progress"),
    }
    assert welcome["type"] == "welcome"
    assert welcome["protocol"] == 1
    assert len(welcome["session"]) == 36
    assert welcome["annotator"] == {"id": ann.annotator_id, "name": ann.user.username}
    assert welcome["campaign"] == {
        "slug": campaign.slug,
        "title": "Cats and dogs",
        "instructions_html": "<p>Look <strong>twice</strong>.</p>\n",
    }
    campaign.refresh_from_db()
    assert welcome["choices_version"] == campaign.choices_version
    assert welcome["choices"] == [
        {"choice": row.pk, "name": row.name, "hotkey": row.hotkey, "color": row.color}
        for row in Choice.objects.filter(campaign=campaign).order_by("position")
    ]
    assert welcome["lease_seconds"] == 120
    assert welcome["progress"] == {"labeled": 0, "total": 40, "mine": 0}


def test_nothing_is_pushed_to_who_is_not_ready(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.expect("welcome")
    assert client.settle() == []
    assert not Turn.objects.filter(campaign=campaign, state="leased").exists()


def test_a_query_says_what_is_needed_and_nothing_more(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready()
    query = client.expect("query")
    turn = Turn.objects.select_related("image").get(pk=query["query"])
    assert set(query) == {"type", "query", "image", "lease_expires", "proof"}
    assert set(query["image"]) == {"id", "url", "width", "height"}
    assert query["image"]["id"] == turn.image_id
    assert (query["image"]["width"], query["image"]["height"]) == (8, 6)
    expires = datetime.fromisoformat(query["lease_expires"])
    assert expires == turn.lease_expires
    assert timedelta(seconds=60) < expires - datetime.now(UTC) <= timedelta(seconds=120)
    assert turn.annotator_id == ann.annotator_id


@pytest.mark.parametrize("size", [1, 7, 20])
def test_the_buffer_is_filled_to_its_size_and_kept_so(
    connect: Connect, campaign: Campaign, ann: Person, size: int
) -> None:
    client = connect(campaign, ann)
    client.ready(buffer=size)
    held = client.queries(size)
    assert len(set(held)) == size
    (choice, _) = choices_of(campaign)
    for _ in range(3):
        assert client.label(held.pop(0), choice)["type"] == "ack"
        held += client.queries(1)
    assert [frame["type"] for frame in client.settle()] == ["welcome"]
    leased = Turn.objects.filter(campaign=campaign, state="leased")
    assert {turn.pk for turn in leased} == set(held)


def test_who_answers_faster_than_the_network_gets_a_query_for_each_answer(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready(buffer=10)
    (choice, _) = choices_of(campaign)
    first = client.queries(10)
    for number, query in enumerate(first):
        client.send({"type": "label", "id": f"{number:032x}", "query": query,
                     "choice": choice, "shown_ms": 1})  # fmt: skip
    second = client.queries(10)
    assert not set(first) & set(second)
    client.settle()
    assert Turn.objects.filter(campaign=campaign, state="leased").count() == 10


def test_who_asks_for_a_larger_buffer_later_gets_it(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.ready(buffer=2)
    client.queries(2)
    client.ready(buffer=5)
    client.queries(3)
    assert [frame["type"] for frame in client.settle()] == ["welcome"]


def test_what_is_known_beforehand_is_in_no_frame(connect: Connect, transactional_db: None) -> None:
    # Names that occur nowhere else, as those of class folders in an import.
    campaign = make_campaign(classes=["aardwolf", "zorilla"])
    stock(campaign, 6)
    names = [image.name for image in Image.objects.filter(campaign=campaign)]
    client = connect(campaign, ann := make_annotator(campaign))
    client.ready(buffer=4)
    held = client.queries(4)
    acknowledged = client.label(held[0], choices_of(campaign)[0])
    client.skip(held[1])
    client.undo(acknowledged["id"])
    client.settle()
    for frame in client.raw[1:]:  # the welcome names the classes, and who is welcome
        assert "aardwolf" not in frame
        assert "zorilla" not in frame
    assert not any(name in frame for name in names for frame in client.raw)
    assert ann.user.username not in "".join(client.raw[1:])


def test_progress_counts_what_was_answered_before(
    connect: Connect, campaign: Campaign, ann: Person, ben: Person
) -> None:
    (choice, _) = choices_of(campaign)
    earlier = connect(campaign, ann)
    earlier.ready(buffer=3)
    for query in earlier.queries(3):
        earlier.label(query, choice)
    assert connect(campaign, ann).expect("welcome")["progress"] == {
        "labeled": 3,
        "total": 40,
        "mine": 3,
    }
    assert connect(campaign, ben).expect("welcome")["progress"]["mine"] == 0


def test_a_campaign_without_images_is_empty_and_not_finished(
    connect: Connect, transactional_db: None
) -> None:
    campaign = make_campaign()
    client = connect(campaign, make_annotator(campaign))
    client.ready(buffer=3)
    client.expect("idle", reason="pool_empty")
    stock(campaign, 1)
    assert client.queries(1)
    assert ask(campaign, 1) == 0
