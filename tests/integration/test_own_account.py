"""What people look after themselves: password, sessions and tokens; and how long staff stay."""

import re
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Final

import pytest
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings
from stock import make_user

from annotator_site.accounts import own_sessions
from annotator_site.accounts.forms import MAX_TOKENS
from annotator_site.accounts.models import Token, User, token_digest
from annotator_site.accounts.tokens import create_token

pytestmark = pytest.mark.django_db

PASSWORD: Final = "a long enough one"
ANOTHER: Final = "quite another long one"
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE: Final = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"


@pytest.fixture(autouse=True)
def light(settings: Settings) -> None:
    """Nobody has tried anything before, and hashing takes no time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()


@pytest.fixture
def person() -> User:
    return make_user(password=PASSWORD)


def browser_of(user: User, agent: str = AGENT) -> Client:
    """A browser in which somebody has logged in by the page for it."""
    browser = Client(headers={"user-agent": agent})
    answer = browser.post("/accounts/login/", {"username": user.username, "password": PASSWORD})
    assert answer.status_code == 302
    return browser


def inside(browser: Client) -> bool:
    """Whether it is logged in."""
    return browser.get("/").status_code == 200


def page_of(browser: Client) -> str:
    return browser.get("/accounts/").content.decode()


def change_password(browser: Client, **fields: str) -> str:
    """The page that follows."""
    form = {"oldpassword": PASSWORD, "password1": ANOTHER, "password2": ANOTHER, **fields}
    return browser.post("/accounts/password/", form, follow=True).content.decode()


def test_a_password_changed_by_oneself_ends_all_other_sessions(person: User) -> None:
    here, there, another = browser_of(person), browser_of(person), browser_of(make_user(
        password=PASSWORD))  # fmt: skip
    assert "logged out everywhere but here" in change_password(here)
    assert (inside(here), inside(there), inside(another)) == (True, False, True)
    person.refresh_from_db()
    assert person.check_password(ANOTHER)
    assert page_of(here).count("data-session=") == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"oldpassword": "guess"}, "current password"),
        ({"password2": "something else"}, "same password"),
        ({"password1": "12345678", "password2": "12345678"}, "too common"),
        ({"password1": "kurz!", "password2": "kurz!"}, "too short"),
    ],
)
def test_a_password_that_cannot_be_is_refused_in_words(
    person: User, fields: dict[str, str], words: str
) -> None:
    here, there = browser_of(person), browser_of(person)
    page = change_password(here, **fields)
    assert words in page.split('role="alert"')[1]
    assert not any(value in page for value in (PASSWORD, *fields.values()))
    assert inside(there)


def test_guessing_the_former_password_is_stopped(person: User) -> None:
    here = browser_of(person)
    for _ in range(5):
        change_password(here, oldpassword="guess")
    assert "That was tried too often" in change_password(here)
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_sessions_are_listed_with_what_tells_them_apart(person: User) -> None:
    browser_of(person, PHONE)
    here = browser_of(person)
    browser_of(make_user(password=PASSWORD))
    rows = re.findall(r"<li data-session.*?</li>", page_of(here), re.DOTALL)
    assert len(rows) == 2
    assert "Firefox on Linux" in rows[0]
    assert ">Here<" in rows[0]
    assert "Chrome on Android" in rows[1]
    assert "from 127.0.0.1" in rows[1]
    assert ">Here<" not in rows[1]


def test_one_session_is_ended_or_all_others_and_nobody_elses(person: User) -> None:
    here, first, second, third = (browser_of(person) for _ in range(4))
    stranger = browser_of(make_user(password=PASSWORD))

    def number_of(browser: Client) -> int:
        return int(UserSession.objects.get(session_key=browser.session.session_key).pk)

    def end(**fields: object) -> list[bool]:
        here.post("/accounts/sessions/end/", fields)
        return [inside(each) for each in (here, first, second, third, stranger)]

    assert end(session=number_of(first)) == [True, False, True, True, True]
    for no_number in (number_of(stranger), 0, "x", "9" * 30, "-1", ""):
        assert end(session=no_number) == [True, False, True, True, True], no_number
    key = second.session.session_key
    assert end(others="") == [True, False, False, False, True]
    assert not Session.objects.filter(session_key=key).exists()


@pytest.mark.parametrize(
    ("peer", "listed"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("", "0.0.0.0"),  # noqa: S104 - over a local socket
    ],
)
def test_from_wherever_somebody_comes_they_get_in(person: User, peer: str, listed: str) -> None:
    browser = Client(REMOTE_ADDR=peer)
    browser.post("/accounts/login/", {"username": person.username, "password": PASSWORD})
    assert f"from {listed}<" in page_of(browser)


def test_who_has_too_many_sessions_loses_the_oldest(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_sessions, "MAX_SESSIONS", 3)
    stranger = browser_of(make_user(password=PASSWORD))
    browsers = [browser_of(person) for _ in range(5)]
    assert [inside(each) for each in browsers] == [False, False, True, True, True]
    assert inside(stranger)


def test_an_upgrade_lists_the_sessions_that_there_are(person: User) -> None:
    here, expired = browser_of(person), browser_of(person)
    Session.objects.filter(pk=expired.session.session_key).update(expire_date=Now())
    nobody = Client()
    nobody.get("/accounts/login/")
    nobody.session.save()
    UserSession.objects.all().delete()
    upgrade = import_module("annotator_site.accounts.migrations.0003_sessions_and_attempts")
    upgrade.list_sessions(apps, None)
    assert [(row.user, row.session_key) for row in UserSession.objects.all()] == [
        (person, here.session.session_key)
    ]


def test_sessions_and_tokens_are_ended_by_a_form_alone(person: User) -> None:
    here = browser_of(person)
    create_token(user=person)
    token = Token.objects.get()
    for path in ("/accounts/sessions/end/", f"/accounts/tokens/{token.pk}/end/"):
        assert here.get(path).status_code == 405
    assert Token.objects.exists()


# --- tokens --------------------------------------------------------------------------------------


def staff() -> User:
    return make_user(password=PASSWORD, is_staff=True)


def owner() -> User:
    return make_user(password=PASSWORD, is_staff=True, is_superuser=True)


def annotator() -> User:
    return make_user(password=PASSWORD)


def new_token(browser: Client, **fields: object) -> str:
    """The page that answers the form."""
    browser.post("/accounts/confirm/", {"password": PASSWORD})
    form = {"name": "my robot", "scopes": ["label"], "lifetime": "30", **fields}
    return browser.post("/accounts/tokens/new/", form).content.decode()


@pytest.mark.parametrize(
    ("who", "scopes", "made"),
    [
        (annotator, ["label"], True),
        (annotator, ["watch"], False),
        (annotator, ["label", "watch"], False),
        (staff, ["label"], True),
        (staff, ["watch"], False),
        (owner, ["label", "watch"], True),
        (owner, ["watch"], True),
        (owner, [], False),
        (owner, ["label", "everything"], False),
    ],
)
def test_people_make_tokens_for_what_they_may_do_themselves(
    who: Callable[[], User], scopes: list[str], made: bool
) -> None:
    user = who()
    page = new_token(browser_of(user), scopes=scopes)
    assert Token.objects.filter(user=user).exists() == made
    assert ('role="alert"' in page) != made


@pytest.mark.parametrize("lifetime", ["7", "30", "90", "365", "never"])
def test_a_token_is_shown_once_and_lasts_as_long_as_was_said(person: User, lifetime: str) -> None:
    browser = browser_of(person)
    page = new_token(browser, lifetime=lifetime)
    found = re.search(r"data-token>(.*?)<", page)
    assert found
    token = Token.objects.get(digest=token_digest(found[1]))
    assert (token.user, token.name, token.scopes) == (person, "my robot", ["label"])
    if lifetime == "never":
        assert token.expires_at is None
    else:
        assert token.expires_at is not None
        days = (token.expires_at - token.created_at) / timedelta(days=1)
        assert abs(days - int(lifetime)) < 0.01
    listed = page_of(browser)
    assert "my robot" in listed
    assert found[1] not in listed
    assert token.digest not in listed


@pytest.mark.parametrize("lifetime", ["", "0", "-1", "100000", "90.5", "for ever"])
def test_a_token_lasts_for_ever_only_by_saying_so(person: User, lifetime: str) -> None:
    new_token(browser_of(person), lifetime=lifetime)
    assert not Token.objects.exists()


def test_people_end_their_own_tokens_alone(person: User) -> None:
    other = make_user()
    for user in (person, other):
        create_token(user=user)
    browser = browser_of(person)
    for token in Token.objects.all():
        browser.post(f"/accounts/tokens/{token.pk}/end/")
    assert [token.user for token in Token.objects.all()] == [other]


def test_nobody_makes_tokens_without_end(person: User) -> None:
    Token.objects.bulk_create(
        [Token(user=person, digest=f"{number:064}") for number in range(MAX_TOKENS)]
    )
    new_token(browser_of(person))
    assert Token.objects.count() == MAX_TOKENS


# --- how long staff stay logged in ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "column", "ago", "stays"),
    [
        (owner, "last_seen_at", timedelta(minutes=59), True),
        (owner, "last_seen_at", timedelta(minutes=61), False),
        (owner, "created_at", timedelta(hours=11), True),
        (owner, "created_at", timedelta(hours=13), False),
        (annotator, "last_seen_at", timedelta(days=13), True),
        (annotator, "created_at", timedelta(days=13), True),
    ],
)
def test_staff_are_logged_out_after_a_while(
    who: Callable[[], User], column: str, ago: timedelta, stays: bool
) -> None:
    browser = browser_of(who())
    UserSession.objects.update(**{column: F(column) - ago})
    assert inside(browser) == stays
    if not stays:
        assert "logged out after a while" in browser.get("/", follow=True).content.decode()
        assert not any(SESSION_KEY in each.get_decoded() for each in Session.objects.all())


def test_a_page_is_use_and_is_noted_seldom() -> None:
    browser = browser_of(owner())
    before = UserSession.objects.get().last_seen_at
    browser.get("/")
    assert UserSession.objects.get().last_seen_at == before
    UserSession.objects.update(last_seen_at=F("last_seen_at") - timedelta(minutes=59))
    browser.get("/")
    assert UserSession.objects.get().last_seen_at > before


def test_the_pages_of_annotators_cost_nothing_more(
    django_assert_num_queries: Callable[[int], object], person: User
) -> None:
    browser = browser_of(person)
    browser.get("/")
    with django_assert_num_queries(3):  # type: ignore[attr-defined]
        browser.get("/")  # the session, the person, their campaigns
