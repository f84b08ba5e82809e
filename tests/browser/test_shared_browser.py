"""Several people at one browser: nobody's answers go out under another's name."""

from collections.abc import Callable
from functools import cache

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.models import Session
from playwright.sync_api import Dialog, Page, expect
from stock import Person, make_annotator, make_campaign, make_user

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Campaign, Label

from .conftest import Console, MakeDigits, OpenPage, log_in
from .labeler import Labeler
from .test_connection import HeldLink
from .test_shelf import KEPT
from .test_states import press_everything

PASSWORD = "a long enough one"
stored_password = cache(lambda: make_password(PASSWORD))


@pytest.fixture
def campaign(make_digits: MakeDigits) -> Campaign:
    """A campaign of digits."""
    return make_digits()


def join(campaign: Campaign, stem: str) -> Person:
    """An annotator with a password, who has seen the instructions."""
    person = make_annotator(campaign, stem=stem)
    person.user.password = stored_password()
    person.user.save()
    campaigns.mark_introduced(annotator_id=person.annotator_id)
    return person


def sit_down(page: Page, person: Person) -> Labeler:
    """The labeling page of somebody who is logged in."""
    campaign = Annotator.objects.get(pk=person.annotator_id).campaign
    return Labeler(page, campaign, person.annotator_id)


def log_out(page: Page) -> None:
    page.goto("/")
    page.locator(".menu-open").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/accounts/login/")


def log_in_by_form(page: Page, person: Person) -> None:
    page.goto("/accounts/login/")
    page.locator('[name="username"]').fill(person.user.username)
    page.locator('[name="password"]').fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your campaigns")).to_be_visible()


def come_back(page: Page) -> None:
    """As when a person comes back to this tab from another."""
    page.evaluate("() => dispatchEvent(new Event('focus'))")


def come_back_to_the_tab(ann: Labeler) -> Labeler:
    come_back(ann.page)
    return ann


def load_again(ann: Labeler) -> Labeler:
    ann.page.reload()
    return ann


def open_another_tab(ann: Labeler) -> Labeler:
    return ann.beside().open()


@pytest.mark.parametrize("back", [come_back_to_the_tab, load_again, open_another_tab])
def test_what_one_person_said_is_neither_sent_nor_lost_while_another_is_logged_in(
    campaign: Campaign,
    open_page: OpenPage,
    console: Console,
    back: Callable[[Labeler], Labeler],
) -> None:
    console.allow_lost_links()
    console.allow_refusals()
    ann, ben = join(campaign, "ann"), join(campaign, "ben")
    anns = sit_down(open_page(ann), ann)
    link = HeldLink(anns)
    anns.open()
    for key in "12":
        anns.press(key)
    anns.await_pending(2)
    link.holds = False  # from the next connection on
    tab = anns.page.context.new_page()
    log_out(tab)
    log_in_by_form(tab, ben)
    anns.page.evaluate("() => dispatchEvent(new Event('offline'))")  # the network blinks
    come_back(anns.page)
    anns.await_state("closed", "stranger")
    text = anns.at("#panel-text")
    expect(text).to_contain_text(f"In this browser {ben.user.username} is logged in now")
    expect(anns.at("#panel-kept")).to_have_text(
        f"2 answers of {ann.user.username} are kept in this browser until "
        f"{ann.user.username} is back."
    )
    expect(anns.at("#frame .now")).to_have_count(0)
    expect(anns.at("#strip")).to_be_hidden()
    press_everything(anns)
    come_back(anns.page)
    bens = sit_down(tab, ben).open()
    bens.press("3")
    bens.await_pending(0)
    assert bens.stored() == bens.pressed
    assert Label.objects.filter(campaign=campaign).count() == 1
    anns.await_state("closed", "stranger")
    anns.await_pending(2)
    assert anns.page.evaluate(KEPT) == ["label", "label"]
    log_out(tab)
    log_in_by_form(tab, ann)
    here = back(anns)
    here.await_pending(0)
    here.await_state("labeling", "labeling")
    assert anns.stored() == anns.pressed
    assert bens.stored() == bens.pressed


def test_who_is_logged_in_now_need_not_be_in_the_campaign(
    campaign: Campaign, open_page: OpenPage, live_site: str, console: Console
) -> None:
    console.allow_refusals()
    anns = sit_down(open_page(ann := join(campaign, "ann")), ann).open()
    stranger = make_annotator(make_campaign(), stem="eve")
    log_in(anns.page.context, live_site, stranger)
    anns.page.evaluate("() => dispatchEvent(new Event('offline'))")
    anns.await_state("closed", "stranger")
    expect(anns.at("#panel-text")).to_contain_text(stranger.user.username)
    with anns.page.expect_navigation():
        anns.at("#panel-button").click()
    expect(anns.page.get_by_role("heading", name="This page is not open to you")).to_be_visible()


def test_who_logs_out_elsewhere_is_told_within_seconds_and_goes_on_when_back(
    campaign: Campaign, open_page: OpenPage, live_site: str, console: Console
) -> None:
    console.allow_lost_links()
    console.allow_refusals()
    anns = sit_down(open_page(ann := join(campaign, "ann")), ann)
    link = HeldLink(anns)
    anns.open()
    anns.press("1")
    anns.await_pending(1)
    link.holds = False
    tab = anns.page.context.new_page()
    log_out(tab)
    # Nobody touches the page.
    anns.await_state("closed", "4401")
    expect(anns.at("#panel-kept")).to_have_text(
        "1 answer kept in this browser; it is sent as soon as you are logged in again."
    )
    expect(anns.at("#frame .now")).to_have_count(0)
    log_in(anns.page.context, live_site, ann)
    come_back(anns.page)
    anns.await_pending(0)
    anns.await_state("labeling", "labeling")
    assert anns.stored() == anns.pressed


def test_a_new_log_in_of_the_same_person_goes_unnoticed(
    campaign: Campaign, open_page: OpenPage, live_site: str
) -> None:
    anns = sit_down(open_page(ann := join(campaign, "ann")), ann).open()
    cookies = anns.page.context.cookies()
    former = next(each["value"] for each in cookies if each["name"] == "sessionid")
    log_in(anns.page.context, live_site, ann)
    with anns.page.expect_websocket():  # which the end of the former session opens
        Session.objects.filter(pk=former).delete()
    anns.await_link("live")
    anns.press("1")
    anns.await_pending(0)
    assert anns.stored() == anns.pressed


def test_a_browser_that_keeps_nothing_is_told_what_leaving_would_cost(
    campaign: Campaign, open_page: OpenPage, live_site: str, console: Console
) -> None:
    console.allow_lost_links()
    ann, ben = join(campaign, "ann"), join(campaign, "ben")
    anns = sit_down(open_page(ann), ann)
    anns.page.add_init_script(
        "IDBFactory.prototype.open = () => { throw new DOMException('', 'SecurityError'); };"
    )
    link = HeldLink(anns)
    anns.open()
    anns.press("1")
    anns.await_pending(1)
    link.holds = False
    log_in(anns.page.context, live_site, ben)
    anns.page.evaluate("() => dispatchEvent(new Event('offline'))")
    anns.await_state("closed", "stranger")
    expect(anns.at("#panel-kept")).to_contain_text("1 answer is in this page alone")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    anns.page.on("dialog", stay)
    anns.at("#panel-button").click()
    anns.page.wait_for_function("() => true")
    assert asked == ["beforeunload"]
    log_in(anns.page.context, live_site, ann)
    come_back(anns.page)
    anns.await_pending(0)
    assert anns.stored() == anns.pressed


PUT = """([place, id, query, choice]) => new Promise((done) => {
  const request = indexedDB.open("nowait", 1);
  request.onsuccess = () => {
    const message = { type: "label", query, choice, shown_ms: 900, id };
    const store = request.result.transaction("outbox", "readwrite").objectStore("outbox");
    store.put({ place, id, message, at: 1 }).onsuccess = () => {
      request.result.close();
      done();
    };
  };
})"""


def test_an_answer_that_an_older_page_kept_is_asked_again(
    campaign: Campaign, open_page: OpenPage
) -> None:
    anns = sit_down(open_page(ann := join(campaign, "ann")), ann).open()
    query = anns.shown()
    choice = next(choice for choice, digit in anns.digits.items() if digit == "4")
    kept = [f"{ann.user.pk}/{campaign.slug}", "0a6f7f5e-31d4-4a2b-8d43-0f7f0c1b2d3e", query, choice]
    anns.page.evaluate(PUT, kept)
    anns.open()
    expect(anns.at("#toasts")).to_contain_text("The classes changed before an answer of yours")
    seen = set()
    for key in "56789012" * 2:  # all images that there are
        if query in seen:
            break
        seen.add(anns.press(key))
    assert query in seen
    anns.await_pending(0)
    assert sorted(anns.stored()) == sorted(anns.pressed)
    assert anns.page.evaluate(KEPT) == []


def test_a_live_page_ends_with_the_log_in_and_says_so(
    campaign: Campaign, open_page: OpenPage, live_site: str, console: Console
) -> None:
    console.allow_refusals()
    owner = Person(make_user(is_staff=True, is_superuser=True), 0, "")
    page = open_page(owner)
    page.goto(f"/admin/pools/campaign/{campaign.pk}/live/")
    expect(page.locator("#link-words")).to_contain_text("Live.")
    cookies = page.context.cookies()
    former = next(each["value"] for each in cookies if each["name"] == "sessionid")
    log_in(page.context, live_site, owner)
    with page.expect_websocket():  # the same person is in again: it goes on
        Session.objects.filter(pk=former).delete()
    expect(page.locator("#link-words")).to_contain_text("Live.")
    log_out(page.context.new_page())
    expect(page.locator("#alert")).to_have_text("You are logged out. Reload the page to log in.")
    page.reload()
    expect(page).to_have_title("Log in · Nowait")
