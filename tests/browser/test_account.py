"""A person looks after their account, on a wide screen and on a phone, by keyboard and by thumb."""

from typing import Any, Final

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client
from playwright.sync_api import Page, expect
from second_factors import code_of, give_second_factor, recovery_codes
from stock import Person, make_annotator, make_campaign

from annotator_site.accounts.models import User
from annotator_site.accounts.tokens import create_token

from .axe import violations
from .conftest import Console, OpenPage, Start

PASSWORD: Final = "a long enough one"
SHAPES: Final[list[dict[str, Any]]] = [
    {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
]


@pytest.fixture
def person(transactional_db: None) -> Person:
    return make_annotator(make_campaign(), password=PASSWORD)


def give_password(page: Page, person: Person) -> None:
    """Log in by the page."""
    page.goto("/accounts/login/")
    expect(page.locator("#id_username")).to_be_focused()
    page.keyboard.type(person.user.username)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_somebody_sets_up_a_second_factor_and_logs_in_by_it(
    person: Person, open_page: OpenPage
) -> None:
    page = open_page()
    give_password(page, person)
    page.locator(".menu-open").click()
    page.get_by_role("link", name="Your account").click()
    page.get_by_role("link", name="Set it up").click()
    expect(page.locator("#id_password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    secret = page.locator("[data-secret]").inner_text()
    page.locator("#id_code").fill(code_of(secret))
    page.keyboard.press("Enter")
    expect(page).to_have_title("Recovery codes · Nowait")
    assert page.locator(".recovery-codes li").all_inner_texts() == recovery_codes(person.user)
    page.get_by_role("link", name="Back to your account").click()
    expect(page.get_by_role("status")).to_contain_text("logged out everywhere but here")
    page.locator(".menu-open").click()
    page.get_by_role("button", name="Log out").click()

    give_password(page, person)
    expect(page.locator("#id_code")).to_be_focused()
    page.keyboard.type("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    page.keyboard.press("Control+A")
    page.keyboard.type(recovery_codes(person.user)[0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your campaigns")).to_be_visible()


def test_a_session_that_is_ended_stops_labeling_there(
    person: Person, start: Start, open_page: OpenPage, console: Console
) -> None:
    console.allow_refusals()
    ann = start()
    user = User.objects.get(memberships=ann.annotator_id)
    user.set_password(PASSWORD)
    user.save()
    other = Person(user, ann.annotator_id, "")
    # It was opened before the password was there: once more, by the page.
    give_password(ann.page, other)
    ann.open()
    here = open_page()
    give_password(here, other)
    here.goto("/accounts/")
    here.get_by_role("button", name="Log out there").click()
    expect(here.get_by_role("status")).to_have_text("That session is ended.")
    expect(here.locator("[data-session]")).to_have_count(1)
    ann.await_state("closed", "4401")


@pytest.mark.parametrize("shape", SHAPES, ids=["wide-light", "phone-dark"])
def test_every_page_of_the_account_fits_and_keeps_to_the_rules(
    person: Person, open_page: OpenPage, shape: dict[str, Any]
) -> None:
    create_token(user=person.user, name="a robot with a rather long name " * 3)
    page = open_page(**shape)
    give_password(page, person)
    elsewhere = Client()
    elsewhere.force_login(person.user, "django.contrib.auth.backends.ModelBackend")
    key = elsewhere.session.session_key
    UserSession.objects.create(user=person.user, session_key=key, ip="2001:db8::dead:beef")

    def look(path: str) -> None:
        page.goto(path)
        assert page.url.endswith(path)
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path

    look("/accounts/")
    look("/accounts/password/")
    look("/accounts/confirm/?next=/accounts/tokens/new/")
    page.locator("#id_password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_title("New token · Nowait")
    look("/accounts/tokens/new/")
    look("/accounts/second-factor/on/")
    give_second_factor(person.user)
    look("/accounts/")
    if shape is SHAPES[-1]:
        for path in ("off/", "recovery/", "recovery/new/"):
            look(f"/accounts/second-factor/{path}")
