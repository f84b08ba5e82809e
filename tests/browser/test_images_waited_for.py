"""A picture that fails to come is waited for, while others are shown."""

import re

import pytest
from playwright.sync_api import Route, expect

from al_engine.pools.models import Image

from .conftest import Console, MakeDigits, OpenPage
from .pictures_not_shown import AWAY, labeler, sent_by, skipped


def test_a_server_in_trouble_is_waited_for_and_not_run_down(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow("503 (Service Unavailable)")
    campaign = make_digits(images=8)
    ann = labeler(open_page, campaign)
    sent = sent_by(ann.page)
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503)

    ann.page.route("**/i/**", refuse)
    ann.go()
    expect(ann.at("#panel-title")).to_have_text(AWAY)
    # Five pictures, each twice at first; then one after another.
    assert len(asked) < 2 * (5 + 6)
    ann.page.unroute("**/i/**")
    ann.press("1")
    ann.await_pending(0)
    assert set(sent) == {"ready", "label"}
    assert skipped(campaign) == {}


def test_one_picture_that_fails_for_a_minute_while_others_come_is_passed_over(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow("503 (Service Unavailable)")
    campaign = make_digits(images=30)
    ann = labeler(open_page, campaign)
    asked: list[str] = []

    def fail_the_second(route: Route) -> None:
        (sha256,) = re.findall("[0-9a-f]{64}", route.request.url)
        asked.append(sha256)
        if sha256 == next((each for each in asked if each != asked[0]), None):
            route.fulfill(status=503)
        else:
            route.continue_()

    ann.page.clock.install()
    ann.page.route("**/i/**", fail_the_second)
    ann.open()
    for key in "12345":
        ann.press(key)
    sha256 = next(each for each in asked if each != asked[0])
    failing = Image.objects.get(campaign=campaign, sha256=sha256)
    assert skipped(campaign) == {}
    for _ in range(20):
        ann.page.clock.fast_forward(6_000)
        ann.page.evaluate("() => fetch('/healthz')")
    for key in "67890" * 4 + "1234":
        ann.press(key)
    ann.await_state("idle", "pool_empty")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert skipped(campaign) == {failing.pk: ("not_loaded", "machine")}
    assert Image.objects.get(pk=failing.pk).state == "queried", "somebody else may see it"


def test_an_image_that_cannot_be_shown_again_after_an_undo_is_waited_for(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow("503 (Service Unavailable)", "net::ERR_FAILED")
    campaign = make_digits(images=3)
    ann = labeler(open_page, campaign).open()
    query = ann.press("1")
    ann.await_pending(0)
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        lost.append(route.request.url)
        if len(lost) < 5:
            route.fulfill(status=503)
        else:
            route.continue_()

    ann.go()  # after a reload the picture has to be fetched again
    ann.shown()
    ann.page.route("**/i/**", lose_first)
    ann.page.keyboard.press("Backspace")
    ann.await_query(query)
    ann.pressed.clear()
    ann.press("4")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert skipped(campaign) == {}


def test_an_image_that_the_network_lost_is_fetched_again(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow("net::ERR_CONNECTION_RESET")
    campaign = make_digits(images=3)
    ann = labeler(open_page, campaign)
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if lost.count(route.request.url) < 2:
            lost.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    ann.page.route("**/i/**", lose_first)
    ann.open()
    for key in "123":
        ann.press(key)
    ann.await_state("idle", "finished")
    assert len(lost) == 6
    assert ann.stored() == ann.pressed
    assert skipped(campaign) == {}


TRIES, MOST_SECONDS = 24, 2_000


def test_a_network_that_is_away_for_long_costs_no_image(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow_lost_links()
    console.allow("net::ERR_CONNECTION_RESET")
    campaign = make_digits(images=3)
    ann = labeler(open_page, campaign)
    page = ann.page
    page.clock.install()
    page.route("**/i/**", lambda route: route.abort("connectionreset"))
    ann.go()
    ann.await_state("connecting", "waiting")
    page.context.set_offline(True)
    ann.await_link("reconnecting")
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    # Longer than it takes to give an image up while others come. A second of the page's at a time:
    # a try ends when the browser says so, not by the page's clock.
    for _ in range(MOST_SECONDS):
        page.clock.run_for(1_000)
        if sum("/i/" in url for url in failed) >= TRIES:
            break
    else:
        pytest.fail(f"After {MOST_SECONDS} s of the page's clock there were {len(failed)} tries.")
    ann.await_pending(0)
    page.unroute("**/i/**")
    page.context.set_offline(False)
    for key in "123":
        ann.press(key)
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert skipped(campaign) == {}
