"""What annotators are shown before they label, and what is remembered of it."""

import re

import pytest
from django.test import Client
from stock import Person, add_gold, make_annotator, make_campaign, shut_out

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Campaign, Label

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    """Two classes with six gold images each, four of them for practice."""
    campaign = make_campaign(practice_images=4)
    for choice in campaign.choices.all():
        add_gold(campaign, choice, 6)
    return campaign


@pytest.fixture
def person(campaign: Campaign) -> Person:
    return make_annotator(campaign)


@pytest.fixture
def browser(person: Person) -> Client:
    """A browser in which the annotator is logged in."""
    browser = Client()
    browser.force_login(person.user, "django.contrib.auth.backends.ModelBackend")
    return browser


def told(browser: Client, campaign: Campaign) -> dict[str, str]:
    """What the labeling page says of the introduction."""
    page = browser.get(f"/c/{campaign.slug}/").content.decode()
    main = re.search(r'<main id="labeler"[^>]*>', page)
    assert main
    return dict(re.findall(r'data-([\w-]+)="([^"]*)"', main[0]))


def test_examples_and_practice_come_with_their_classes_and_signed_addresses(
    campaign: Campaign, browser: Client
) -> None:
    names = [choice.name for choice in campaign.choices.all()]
    seen: list[str] = []
    for name, key, count in [("examples", "examples", 8), ("practice", "images", 4)]:
        response = browser.get(f"/c/{campaign.slug}/{name}.json")
        assert "no-store" in response["Cache-Control"], "the classes may be others the next time"
        answer = response.json()
        assert [choice["name"] for choice in answer["choices"]] == names
        assert len(answer[key]) == count
        for image in answer[key]:
            assert set(image) == {"choice", "url", "width", "height"}
            assert re.fullmatch(r"/i/\d+/[0-9a-f]+\.png\?w=\d+&k=[\w-]+&s=[\w-]+", image["url"])
            seen.append(image["url"])
    assert len(set(seen)) == 12


def test_who_is_no_annotator_of_the_campaign_gets_neither(
    campaign: Campaign, person: Person, browser: Client
) -> None:
    shut_out(person)
    for path in ("examples.json", "practice.json"):
        assert browser.get(f"/c/{campaign.slug}/{path}").status_code == 404
    assert browser.post(f"/c/{campaign.slug}/passed/", {"step": "practiced"}).status_code == 404
    assert Annotator.objects.get(pk=person.annotator_id).practiced_at is None


def test_what_somebody_is_past_is_remembered_on_every_device(
    campaign: Campaign, person: Person, browser: Client
) -> None:
    assert {"introduce", "required"} <= set(told(browser, campaign))
    assert browser.post(f"/c/{campaign.slug}/passed/", {"step": "introduced"}).status_code == 204
    assert "introduce" not in told(browser, campaign)
    assert "required" in told(browser, campaign)
    assert browser.post(f"/c/{campaign.slug}/passed/", {"step": "practiced"}).status_code == 204
    assert "required" not in told(browser, campaign)
    first = Annotator.objects.get(pk=person.annotator_id).practiced_at
    browser.post(f"/c/{campaign.slug}/passed/", {"step": "practiced"})
    assert Annotator.objects.get(pk=person.annotator_id).practiced_at == first
    assert not Label.objects.exists()
    other = make_annotator(campaign)
    browser.force_login(other.user, "django.contrib.auth.backends.ModelBackend")
    assert {"introduce", "required"} <= set(told(browser, campaign))


def test_a_step_that_does_not_exist_is_refused(campaign: Campaign, browser: Client) -> None:
    answer = browser.post(f"/c/{campaign.slug}/passed/", {"step": "bored"})
    assert answer.status_code == 400
    assert b"introduced, practiced" in answer.content


def test_a_campaign_that_has_nothing_to_show_begins_at_once() -> None:
    campaign = make_campaign()
    browser = Client()
    browser.force_login(make_annotator(campaign).user, "django.contrib.auth.backends.ModelBackend")
    assert not {"introduce", "required"} & set(told(browser, campaign))
    Campaign.objects.filter(pk=campaign.pk).update(instructions="Look twice.", practice_images=9)
    assert {"introduce", "required"} & set(told(browser, campaign)) == {"introduce"}


def test_practice_and_examples_are_settings_like_all_others() -> None:
    for text in ("examples_per_class=13", "practice_images=101"):
        with pytest.raises(campaigns.BadSetting):
            make_campaign(**dict([campaigns.parse_setting(text)]))
