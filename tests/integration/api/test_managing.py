"""What programs change: campaigns, their states and classes, images that come back, people."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from stock import add_images, ask, make_annotator, make_campaign, make_user

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Campaign, Image, Turn
from annotator_site.accounts.models import User

from .client import Program

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    user = make_user(is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label__in=["pools", "accounts"]).exclude(
            codename="all_campaigns"
        )
    )
    return user


@pytest.fixture
def program(owner: User) -> Program:
    return Program(owner, ["manage"])


@pytest.fixture
def campaign(owner: User) -> Campaign:
    campaign = make_campaign()
    campaigns.add_owners(campaign_id=campaign.pk, user_ids=[owner.pk])
    return campaign


def at(campaign: Campaign, what: str = "") -> str:
    return f"campaigns/{campaign.slug}{what and f'/{what}'}"


def new(**fields: Any) -> dict[str, Any]:
    """A campaign to be made."""
    return {
        "slug": f"c-{uuid4().hex[:12]}", "title": "Pumas",
        "classes": [{"name": "cat", "hotkey": "x"}, {"name": "leopard"}],
        "settings": {"answers_per_image": 3, "strategies": ["margin"]}, **fields,
    }  # fmt: skip


def wrong(answer: Any) -> set[str]:
    """The fields that an answer of 400 names, each with a message and a remedy."""
    assert answer.status_code == 400, answer.content
    errors = answer.json()["errors"]
    assert all(each["message"] and each["remedy"] for each in errors)
    return {each["field"] for each in errors}


def test_a_program_makes_a_campaign_and_owns_it(program: Program, owner: User) -> None:
    asked = new()
    answer = program.send("campaigns", asked)
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made["settings"]["answers_per_image"] == 3
    assert [(each["name"], each["hotkey"]) for each in made["classes"]] == [
        ("cat", "x"), ("leopard", "1"),
    ]  # fmt: skip
    assert list(owner.owned_campaigns.values_list("slug", flat=True)) == [asked["slug"]]
    assert program.get(f"campaigns/{asked['slug']}").json() == made
    assert LogEntry.objects.filter(user=owner).count() == 1
    again = program.send("campaigns", asked)
    assert again.status_code == 409
    assert asked["slug"] in again.json()["detail"]


def test_a_key_makes_a_campaign_once(program: Program) -> None:
    asked, key = new(), {"Idempotency-Key": "run 1"}
    first, second = (program.send("campaigns", asked, **key) for _ in range(2))
    assert first.json() == second.json()
    assert (first.status_code, second.status_code) == (201, 201)
    assert second["Idempotency-Repeated"] == "true"
    assert program.send("campaigns", new(), **key).status_code == 409
    assert wrong(program.send("campaigns", new(), **{"Idempotency-Key": "x" * 201}))
    bad = {"Idempotency-Key": "run 2"}
    assert wrong(program.send("campaigns", new(title=""), **bad)) == {"title"}
    assert program.send("campaigns", new(), **bad).status_code == 201, "nothing was made before"
    other = Program(make_user(is_staff=True, is_superuser=True))
    assert other.send("campaigns", new(), **key).status_code == 201, "each has their own keys"


def test_each_wrong_field_is_named(program: Program) -> None:
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({"slug": "-x"}, {"slug"}),
        ({"slug": "ä"}, {"slug"}),
        ({"title": "\0"}, {"title"}),
        ({"classes": [{"name": "cat"}]}, {"classes"}),
        ({"classes": [{"name": "cat"}, {"name": "cat"}]}, {"classes"}),
        ({"classes": [{"name": "cat"}, {"name": " dog"}]}, {"classes.1.name"}),
        ({"classes": [{"name": "a", "hotkey": "x"}, {"name": "b", "hotkey": "X"}]}, {"classes"}),
        ({"classes": [{"name": "a", "color": "red"}, {"name": "b"}]}, {"classes.0.color"}),
        ({"settings": {"audit_rate": 2}}, {"settings.audit_rate"}),
        ({"settings": {"strategies": ["guess"]}}, {"settings.strategies"}),
        ({"settings": {"architectures": ["vgg61"]}}, {"settings.architectures"}),
        ({"settings": {"image_size": 3}}, {"settings.image_size"}),
        ({"settings": {"answers_per_image": 3, "max_answers": 2}}, {"settings"}),
    ]
    for fields, named in cases:
        assert wrong(program.send("campaigns", new(**fields))) == named, fields
    assert program.send("campaigns", b"{'no json").status_code == 400
    assert wrong(program.send("campaigns", [])) == {""}
    assert program.client.post(
        "/api/v1/campaigns", {"slug": "x"}, headers=program.headers
    ).status_code == 415  # fmt: skip
    assert not Campaign.objects.exists()


def test_settings_words_and_states_change(program: Program, campaign: Campaign) -> None:
    add_images(campaign, 2)
    answer = program.send(
        at(campaign), {"title": "New", "settings": {"lease_seconds": 60}}, method="patch"
    )
    assert answer.json()["title"] == "New"
    assert answer.json()["settings"]["lease_seconds"] == 60
    assert answer.json()["instructions"] == campaign.instructions
    wrongly = {"settings": {"max_answers": 1, "answers_per_image": 2}}
    assert wrong(program.send(at(campaign), wrongly, method="patch"))
    for act, state in [("pause", "paused"), ("resume", "running"), ("finish", "finished")]:
        assert program.send(at(campaign, act)).json()["state"] == state
    campaign.refresh_from_db()
    assert (campaign.state, campaign.lease_seconds) == ("finished", 60)


def test_classes_are_renamed_and_added_and_kept_once_there_are_images(
    program: Program, campaign: Campaign
) -> None:
    before = program.get(at(campaign, "classes")).json()
    cat, dog = before["classes"]
    # Swapped names, which the database checks row by row.
    rows = [{**cat, "name": "dog"}, {**dog, "name": "cat"}, {"name": "fox"}]
    after = program.send(at(campaign, "classes"), {"classes": rows}, method="put").json()
    assert [row["name"] for row in after["classes"]] == ["dog", "cat", "fox"]
    assert after["choices_version"] > before["choices_version"]
    kept = {"classes": after["classes"][:2]}
    assert program.send(at(campaign, "classes"), kept, method="put").status_code == 200
    add_images(campaign, 1)
    fewer = {"classes": [after["classes"][0], {"name": "owl"}]}
    assert program.send(at(campaign, "classes"), fewer, method="put").status_code == 409
    stranger = make_campaign().choices.all()[0]
    foreign = {"classes": [*kept["classes"], {"choice": stranger.pk, "name": "x"}]}
    assert wrong(program.send(at(campaign, "classes"), foreign, method="put")) == {"classes"}
    stranger.refresh_from_db()
    assert stranger.name == "cat"


def test_images_come_back_of_this_campaign_alone(program: Program, campaign: Campaign) -> None:
    ours, others = add_images(campaign, 2), add_images(make_campaign(), 1)
    Image.objects.update(state="excluded", excluded_for="verdict")
    asked = [image.pk for image in [*ours, *others]]
    answer = program.send(at(campaign, "images/put-back"), {"images": asked})
    assert answer.json() == {"images": sorted(image.pk for image in ours)}
    assert Image.objects.get(pk=others[0].pk).state == "excluded"
    assert wrong(program.send(at(campaign, "images/put-back"), {"images": []})) == {"images"}
    assert wrong(program.send(at(campaign, "images/put-back"), {"images": [2**64]})) == {"images.0"}


def test_images_are_excluded_until_they_are_put_back(program: Program, campaign: Campaign) -> None:
    ours, others = add_images(campaign, 3), add_images(make_campaign(), 1)
    ask(campaign, 1)
    asked = {"images": [image.pk for image in [*ours, *others]], "reason": "Blurred."}
    out = program.send(at(campaign, "images/exclude"), asked).json()["images"]
    assert out == sorted(image.pk for image in ours)
    listed = program.rows(at(campaign, "images?state=excluded"))
    assert {row["problem"] for row in listed} == {"Blurred."}
    assert Image.objects.get(pk=others[0].pk).state == "unlabeled"
    assert not Turn.objects.filter(campaign=campaign, state="open").exists()
    assert program.send(at(campaign, "images/exclude"), asked).json() == {"images": []}
    assert program.send(at(campaign, "images/put-back"), {"images": out}).json() == {"images": out}
    assert set(Image.objects.filter(campaign=campaign).values_list("state", flat=True)) <= {
        "unlabeled", "queried",
    }  # fmt: skip


def test_people_are_invited_and_switched_off(program: Program, campaign: Campaign) -> None:
    person = make_user()
    twice = [program.send(at(campaign, "annotators"), {"username": person.username})
             for _ in range(2)]  # fmt: skip
    assert [each.status_code for each in twice] == [201, 201]
    assert twice[0].json() == twice[1].json()
    number = twice[0].json()["id"]
    off = program.send(at(campaign, f"annotators/{number}"), {"active": False}, method="patch")
    assert off.json()["active"] is False
    assert not Annotator.objects.get(user=person).active
    assert wrong(program.send(at(campaign, "annotators"), {"username": "x"})) == {"username"}
    elsewhere = make_annotator(make_campaign()).annotator_id
    answer = program.send(
        at(campaign, f"annotators/{elsewhere}"), {"active": False}, method="patch"
    )
    assert answer.status_code == 404


def test_who_only_reads_changes_nothing(owner: User, campaign: Campaign) -> None:
    reader = Program(owner, ["read", "label", "watch"])
    assert reader.get(at(campaign)).status_code == 200
    for path in ("campaigns", at(campaign, "pause"), at(campaign, "annotators")):
        answer = reader.send(path, {})
        assert answer.status_code == 403
        assert "manage" in answer.json()["detail"]
    assert Campaign.objects.get(pk=campaign.pk).state == "running"
