"""Every page in the language of its reader, chosen by the browser or by the person."""

import re

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from stock import Person, add_images, make_annotator, make_campaign, make_user

from al_engine.pools.models import Campaign, Image
from annotator_site.accounts.hashing import Hasher

pytestmark = pytest.mark.django_db

GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def campaign() -> Campaign:
    return make_campaign()


@pytest.fixture
def person(campaign: Campaign) -> Person:
    return make_annotator(campaign)


def browser_of(person: Person | None) -> Client:
    """A browser that asks for German."""
    browser = Client(headers=GERMAN)
    if person is not None:
        browser.force_login(person.user, BACKEND)
    return browser


def page(browser: Client, path: str) -> str:
    """A page as text, but for its script of words."""
    response = browser.get(path)
    assert "Accept-Language" in response["Vary"]
    return response.content.decode()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/accounts/login/", "Benutzername"),
        ("/", "Ihre Kampagnen"),
        ("/c/{slug}/", "So geht es"),
        ("/nowhere", "Diese Seite gibt es nicht"),
    ],
)
def test_a_browser_that_asks_for_german_gets_german(
    campaign: Campaign, person: Person, path: str, words: str
) -> None:
    text = page(browser_of(None if "login" in path else person), path.format(slug=campaign.slug))
    assert words in text
    assert '<html lang="de">' in text


def test_other_languages_get_english(person: Person) -> None:
    browser = Client(headers={"accept-language": "eo"})
    browser.force_login(person.user, BACKEND)
    assert '<html lang="en">' in page(browser, "/")


def test_a_language_that_was_chosen_is_kept_whatever_the_browser_says(person: Person) -> None:
    browser = browser_of(person)
    answer = browser.post("/language/", {"language": "en", "next": "/?from=here"})
    assert answer["Location"] == "/?from=here"
    cookie = answer.cookies["language"]
    assert (cookie.value, cookie["max-age"], cookie["samesite"]) == ("en", 31_536_000, "Lax")
    assert cookie["httponly"]
    assert "Your campaigns" in page(browser, "/")
    away = browser.post("/language/", {"language": "de", "next": "https://evil.example/"})
    assert away["Location"] == "/"
    assert "Ihre Kampagnen" in page(browser, "/")
    browser.post("/language/", {"language": "tlh"})
    assert "Ihre Kampagnen" in page(browser, "/")


def test_the_switch_says_which_language_is_on(person: Person) -> None:
    found = re.findall(
        r'value="(\w+)" lang="\w+" aria-pressed="(\w+)"', page(browser_of(person), "/")
    )
    assert found == [("en", "false"), ("de", "true")]


def test_numbers_are_written_as_the_language_has_them(campaign: Campaign, person: Person) -> None:
    images = [image.pk for image in add_images(campaign, 1200)[:1000]]
    for state in ("queried", "labeled"):
        Image.objects.filter(pk__in=images).update(state=state)
    assert "<b>1.000</b> von 1.200 Bildern gelabelt" in page(browser_of(person), "/")


def test_one_is_written_as_one(campaign: Campaign, person: Person) -> None:
    add_images(campaign, 1)
    assert "<b>0</b> von 1 Bild gelabelt" in page(browser_of(person), "/")


def test_who_is_locked_out_or_refused_reads_why_in_their_language(
    campaign: Campaign, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hasher, "iterations", 1)
    person.user.password = make_password("a long enough one")
    person.user.save()
    browser = browser_of(None)
    wrong = {"username": person.user.username, "password": "wrong"}
    assert (
        "Bitte Benutzername und Passwort"
        in browser.post("/accounts/login/", wrong).content.decode()
    )
    for _ in range(10):
        answer = browser.post("/accounts/login/", wrong)
    assert answer.status_code == 429
    assert "darum ruht er 15 Minuten" in answer.content.decode()
    stranger = browser_of(Person(make_user(), 0, ""))
    refused = stranger.get(f"/c/{campaign.slug}/")
    assert refused.status_code == 403
    assert "Diese Seite steht Ihnen nicht offen" in refused.content.decode()


def test_a_form_that_is_too_old_is_refused_in_the_readers_language(person: Person) -> None:
    browser = Client(enforce_csrf_checks=True, headers=GERMAN)
    browser.force_login(person.user, BACKEND)
    answer = browser.post("/accounts/logout/")
    assert answer.status_code == 403
    assert "Das Formular war zu alt" in answer.content.decode()


def test_the_administration_is_in_english_throughout() -> None:
    owner = make_user(is_staff=True, is_superuser=True)
    text = browser_of(Person(owner, 0, "")).get("/admin/").content.decode()
    assert "Log out" in text
    assert "Abmelden" not in text
