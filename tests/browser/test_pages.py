"""Logging in and the other pages, in both colors, without a complaint in the console."""

import pytest
from django.contrib.auth.hashers import make_password
from playwright.sync_api import Response, expect
from stock import Person, make_annotator, make_campaign, make_user

from al_engine.pools.models import Annotator, Campaign

from .conftest import Console, MakeDigits, OpenPage, log_in
from .labeler import Labeler

PASSWORD = "a long enough one"


@pytest.fixture
def person(make_digits: MakeDigits) -> Person:
    """An annotator of a campaign of digits who has a password."""
    person = make_annotator(make_digits())
    person.user.password = make_password(PASSWORD)
    person.user.save()
    return person


def campaign_of(person: Person) -> Campaign:
    """The campaign whose annotator this is."""
    return Annotator.objects.get(pk=person.annotator_id).campaign


def test_somebody_logs_in_labels_and_logs_out(person: Person, open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/")
    expect(page).to_have_title("Log in · Nowait")
    page.keyboard.type(person.user.username)  # the first field has the focus
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#login-error")).to_be_visible()
    page.keyboard.type(PASSWORD)  # the password's field has it now
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your campaigns")).to_be_visible()
    page.get_by_role("link", name="Label Handwritten digits").click()
    campaign = campaign_of(person)
    ann = Labeler(page, campaign, person.annotator_id)
    ann.press("4")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    page.goto("/")
    expect(page.locator(".campaign")).to_contain_text("1 of 16 images labeled")
    page.locator(".menu-open").click()
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_title("Log in · Nowait")
    page.goto(f"/c/{campaign.slug}/")
    expect(page.locator('main [name="next"]')).to_have_value(f"/c/{campaign.slug}/")


def test_no_page_complains_in_light_or_dark(
    person: Person, open_page: OpenPage, console: Console, live_site: str
) -> None:
    console.allow("responded with a status of 404", "responded with a status of 403")
    closed = make_campaign()
    stranger = Person(make_user(), 0, "")
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        page.goto("/accounts/login/")
        page.goto("/nowhere")
        expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
        log_in(page.context, live_site, stranger)
        page.goto("/")
        expect(page.get_by_role("heading", name="You are not in a campaign")).to_be_visible()
        page.goto(f"/c/{closed.slug}/")
        expect(page.get_by_role("heading", name="This page is not open to you")).to_be_visible()
        log_in(page.context, live_site, person)
        page.goto("/")
        page.locator(".menu-open").click()
        ann = Labeler(page, campaign_of(person), person.annotator_id).open()
        ann.press("1")
        ann.page.keyboard.press("?")
        ann.await_pending(0)


def test_the_colors_are_chosen_for_all_pages_and_kept(person: Person, open_page: OpenPage) -> None:
    page = open_page(person, color_scheme="light")
    page.goto("/")
    paper = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.locator(".menu-open").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    Labeler(page, campaign_of(person), person.annotator_id).open()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != paper


def test_the_labeling_page_is_small(person: Person, open_page: OpenPage) -> None:
    page = open_page(person)
    loaded: list[Response] = []
    page.on("response", lambda response: loaded.append(response))
    Labeler(page, campaign_of(person), person.annotator_id).open()
    page.wait_for_load_state()
    for kind, most in ((".css", 40_000), (".js", 93_000)):
        sizes = [len(response.body()) for response in loaded if response.url.endswith(kind)]
        assert 0 < sum(sizes) < most, kind
