"""The list of classes changes while people label: they are told, and no answer is misread."""

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.db.models import Q
from stock import Person, make_annotator, make_campaign, stock

from al_engine.pools import campaigns
from al_engine.pools.models import Campaign, Choice, Image, Label, Turn
from annotator_site.campaigns.admin.campaign import save_choices

from .conftest import Connect

CLASSES: Final = ("cat", "dog", "fox")


def rows(campaign: Campaign) -> list[Choice]:
    """The classes, to be changed and saved together."""
    return list(Choice.objects.filter(campaign=campaign))


def save(campaign: Campaign, change: Callable[[list[Choice]], Any]) -> None:
    """Change classes as the administration does."""
    changed = rows(campaign)
    change(changed)
    save_choices(campaign=campaign, choices=changed)


def swap(field: str) -> Callable[[list[Choice]], None]:
    """Gives the first two classes each other's."""

    def act(choices: list[Choice]) -> None:
        first, second = (getattr(each, field) for each in choices[:2])
        setattr(choices[0], field, second)
        setattr(choices[1], field, first)

    return act


def reorder(campaign: Campaign) -> None:
    with transaction.atomic():
        for place, choice in enumerate(reversed(rows(campaign))):
            Choice.objects.filter(pk=choice.pk).update(position=100 + place)


def by_sql(campaign: Campaign) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pools_choice SET color = '#123456' WHERE campaign_id = %s", [campaign.pk]
        )


CHANGES: Final[dict[str, Callable[[Campaign], Any]]] = {
    "names swapped": lambda campaign: save(campaign, swap("name")),
    "keys swapped": lambda campaign: save(campaign, swap("hotkey")),
    "colors swapped": lambda campaign: save(campaign, swap("color")),
    "renamed": lambda campaign: Choice.objects.filter(campaign=campaign, name="dog").update(
        name="wolf"
    ),
    "added": lambda campaign: Choice.objects.create(
        campaign=campaign, name="owl", position=9, hotkey="o"
    ),
    "removed": lambda campaign: Choice.objects.filter(campaign=campaign, name="fox").delete(),
    "reordered": reorder,
    "by SQL": by_sql,
}


class Labeling:
    """Somebody with one query, who sees one list of classes."""

    def __init__(self, connect: Connect, campaign: Campaign, person: Person, site: str) -> None:
        self.client = connect(campaign, person, site=site)
        welcome = self.client.expect("welcome")
        self.version, self.choices = welcome["choices_version"], welcome["choices"]
        self.client.ready()
        (self.query,) = self.client.queries(1)

    def learn(self) -> None:
        """Take the new list in."""
        told = self.client.expect("choices")
        assert told["choices_version"] > self.version
        self.version, self.choices = told["choices_version"], told["choices"]

    def say(self, choice: int, version: int | None, *, id_: str | None = None) -> dict[str, Any]:
        """Answer the query with this class of the list of this version on the screen."""
        message = {"type": "label", "query": self.query, "choice": choice}
        return self.client.request({**message, "choices_version": version}, id_)


@pytest.fixture
def campaign(transactional_db: None) -> Campaign:
    """A running campaign of three classes."""
    campaign = make_campaign(classes=CLASSES)
    stock(campaign, 8)
    return campaign


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_told_at_once_and_what_was_said_before_it_is_asked_again(
    connect: Connect, campaign: Campaign, live_site: str, second_site: str, change: str
) -> None:
    seats = [
        Labeling(connect, campaign, make_annotator(campaign), site)
        for site in (live_site, second_site)
    ]
    former, seen = seats[0].version, seats[0].choices[1]["choice"]
    CHANGES[change](campaign)
    for seat in seats:
        seat.learn()
        assert seat.choices == [
            {"choice": row.pk, "name": row.name, "hotkey": row.hotkey, "color": row.color}
            for row in rows(campaign)
        ]
        nack = seat.say(seen, former)
        assert (nack["type"], nack["code"]) == ("nack", "other_choices")
        # It is held again, and nobody else has it.
        assert seat.client.expect("query", query=seat.query)
        assert not Label.objects.filter(turn_id=seat.query).exists()
        assert seat.say(chosen := seat.choices[0]["choice"], seat.version)["type"] == "ack"
        label = Label.objects.get(turn_id=seat.query)
        assert (label.choice_id, label.late) == (chosen, False)
    # A list that is saved as it was is the same list.
    save(campaign, lambda _: None)
    assert (
        connect(campaign, make_annotator(campaign)).expect("welcome")["choices_version"]
        == seats[0].version
    )


def test_who_does_not_say_what_they_saw_is_taken_to_have_seen_the_newest_list(
    connect: Connect, campaign: Campaign, ann: Person, live_site: str
) -> None:
    seat = Labeling(connect, campaign, ann, live_site)
    CHANGES["names swapped"](campaign)
    seat.learn()
    assert seat.say(seat.choices[0]["choice"], None)["type"] == "ack"


def test_what_was_stored_before_a_change_is_still_acknowledged_after_it(
    connect: Connect, campaign: Campaign, ann: Person, live_site: str
) -> None:
    seat = Labeling(connect, campaign, ann, live_site)
    said = str(uuid4())
    chosen, former = seat.choices[0]["choice"], seat.version
    assert seat.say(chosen, former, id_=said)["type"] == "ack"
    CHANGES["names swapped"](campaign)
    seat.learn()
    assert seat.say(chosen, former, id_=said)["type"] == "ack"
    assert seat.say(seat.choices[1]["choice"], former, id_=said)["code"] == "bad_message"
    assert seat.say(chosen, former)["code"] == "too_late"
    assert Label.objects.filter(campaign=campaign).count() == 1


@pytest.mark.parametrize(
    ("change", "version", "code"),
    [
        ("names swapped", "said", "other_choices"),
        ("removed", "said", "other_choices"),
        ("removed", "not said", "unknown_choice"),
    ],
)
def test_a_change_that_overtakes_an_answer_on_its_way_is_seen(
    connect: Connect, campaign: Campaign, ann: Person, live_site: str, change: str, version: str,
    code: str,
) -> None:  # fmt: skip
    """The desk's own list was the same still when the answer came."""
    seat = Labeling(connect, campaign, ann, live_site)
    fox = next(each["choice"] for each in seat.choices if each["name"] == "fox")
    said = {"type": "label", "id": str(uuid4()), "query": seat.query, "choice": fox, "shown_ms": 1}
    if version == "said":
        said["choices_version"] = seat.version
    with transaction.atomic():
        # Whoever answers waits for its image.
        Image.objects.select_for_update(no_key=True).get(image_of_turn(seat.query))
        seat.client.send(said)
        until_somebody_waits()
        CHANGES[change](campaign)
    assert seat.client.expect("nack")["code"] == code
    assert seat.client.expect("query", query=seat.query)
    seat.learn()
    assert seat.say(seat.choices[0]["choice"], seat.version)["type"] == "ack"


def test_an_image_that_went_to_somebody_else_meanwhile_is_not_asked_again(
    connect: Connect, campaign: Campaign, ann: Person, live_site: str
) -> None:
    seat = Labeling(connect, campaign, ann, live_site)
    other = make_annotator(campaign)
    Turn.objects.filter(pk=seat.query).update(
        annotator_id=other.annotator_id, former=[ann.annotator_id]
    )
    CHANGES["added"](campaign)
    assert seat.say(seat.choices[0]["choice"], seat.version)["code"] == "other_choices"
    seat.client.expect("revoke", query=seat.query)
    turn = Turn.objects.get(pk=seat.query)
    assert (turn.state, turn.annotator_id) == ("leased", other.annotator_id)


def test_while_the_campaign_is_paused_nothing_is_asked_again(
    connect: Connect, campaign: Campaign, ann: Person, live_site: str
) -> None:
    seat = Labeling(connect, campaign, ann, live_site)
    campaigns.set_state(campaign_id=campaign.pk, state=Campaign.State.PAUSED)
    seat.client.expect("revoke", query=seat.query)
    CHANGES["added"](campaign)
    assert seat.say(seat.choices[0]["choice"], seat.version)["code"] == "other_choices"
    seat.client.expect("revoke", query=seat.query)
    assert not Turn.objects.filter(campaign=campaign, state="leased").exists()


def test_title_instructions_and_lease_are_told_when_they_change(
    connect: Connect, campaign: Campaign, ann: Person
) -> None:
    client = connect(campaign, ann)
    client.expect("welcome")
    changed = {"title": "Cats", "instructions": "Look *twice*.", "lease_seconds": 60}
    for name, value in changed.items():
        Campaign.objects.filter(pk=campaign.pk).update(**{name: value})
        told = client.expect("campaign")
    assert told["campaign"] == {
        "slug": campaign.slug, "title": "Cats",
        "instructions_html": "<p>Look <em>twice</em>.</p>\n",
    }  # fmt: skip
    assert told["lease_seconds"] == 60
    # What the page does not show is no news.
    Campaign.objects.filter(pk=campaign.pk).update(budget=7)
    Campaign.objects.filter(pk=campaign.pk).update(title="Dogs")
    assert client.expect("campaign")["campaign"]["title"] == "Dogs"
    assert [frame["type"] for frame in client.settle()] == []


def image_of_turn(turn: int) -> Q:
    """The image of a turn."""
    return Q(pk=Turn.objects.get(pk=turn).image_id)


def until_somebody_waits() -> None:
    """Return once another session waits for a lock of this one."""
    with connection.cursor() as cursor:
        waiting = False
        while not waiting:
            cursor.execute(
                "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted "
                "AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
            )
            (waiting,) = cursor.fetchone()
