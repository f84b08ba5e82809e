"""Pictures that do not show: waited for, or reported; never a verdict that nobody gave."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from playwright.sync_api import Page, Route, WebSocketRoute, expect
from stock import Person, ask, make_annotator

from al_engine.pools import excluded, faults
from al_engine.pools.models import Campaign, Image, Turn

from .conftest import Console, MakeDigits, OpenPage, Start
from .labeler import PATIENCE_MS, Labeler

AWAY = "Images cannot be loaded now"
REPORTED = "An image could not be shown here. That was reported."


def skipped(campaign: Campaign) -> dict[int, tuple[str, str]]:
    """Reason and sender by image of what was not answered."""
    turns = Turn.objects.filter(campaign=campaign, state="skipped")
    return {
        image_id: (reason, sender)
        for image_id, reason, sender in turns.values_list("image_id", "skip_reason", "skip_sender")
    }


def sent_by(page: Page) -> list[str]:
    """The types of what the page sends, from now on."""
    types: list[str] = []

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def said(frame: str | bytes) -> None:
            types.append(json.loads(frame)["type"])
            server.send(frame)

        socket.on_message(said)

    page.route_web_socket("**/label/", between)
    return types


@contextmanager
def moved_away() -> Iterator[None]:
    """All files are somewhere else meanwhile, as when a mount is lost."""
    root = Path(default_storage.path(""))
    away = root.with_name("media-away")
    root.rename(away)
    try:
        yield
    finally:
        away.rename(root)


def waits(ann: Labeler) -> bool:
    """Whether the page waits for pictures, once it either does so or shows the next."""
    said = '#panel[data-words="storage_away"]:not([hidden])'
    ann.page.wait_for_selector(f"#stage[data-armed], {said}", timeout=PATIENCE_MS)
    return bool(ann.page.locator(said).count())


def labeler(open_page: OpenPage, campaign: Campaign, person: Person | None = None) -> Labeler:
    person = person or make_annotator(campaign)
    return Labeler(open_page(person), campaign, person.annotator_id)


def test_a_lost_storage_costs_no_image_and_no_word_of_anybody(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow("503 (Service Unavailable)")
    campaign = make_digits(images=40)
    people = [labeler(open_page, campaign) for _ in range(2)]
    sent = [sent_by(each.page) for each in people]
    for each in people:
        each.open()
        each.press("1")
        each.await_pending(0)
    with moved_away():
        # What the browser has can be answered; then both wait.
        for each in people:
            while not waits(each):
                each.press("2")
            each.await_pending(0)
        held = Turn.objects.filter(campaign=campaign, state="leased").count()
    for each in people:
        each.press("3")
        each.await_pending(0)
        assert each.stored() == each.pressed
    assert all(set(types) == {"ready", "label"} for types in sent)
    assert skipped(campaign) == {}
    assert not Image.objects.filter(campaign=campaign, state="excluded").exists()
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.RUNNING
    assert held <= 10


def test_who_comes_while_the_storage_is_away_is_told_and_served_when_it_is_back(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow("503 (Service Unavailable)")
    campaign = make_digits(images=12)
    first, later = labeler(open_page, campaign), labeler(open_page, campaign)
    first.open()
    with moved_away():
        later.go()
        expect(later.at("#panel-title")).to_have_text(AWAY, timeout=15_000)
        expect(later.at("#panel-text")).to_contain_text("Your answers are kept.")
    later.press("1")
    first.press("2")


def test_a_damaged_and_a_missing_file_are_reported_set_aside_and_put_back_when_whole(
    make_digits: MakeDigits, open_page: OpenPage, console: Console
) -> None:
    console.allow("404 (Not Found)")
    campaign = make_digits(images=5)
    damaged, missing = Image.objects.filter(campaign=campaign)[:2]
    whole = {}
    for image in (damaged, missing):
        with default_storage.open(image.key, "rb") as file:
            whole[image.key] = file.read()
        default_storage.delete(image.key)
    default_storage.save(damaged.key, ContentFile(b"\x89PNG\r\n\x1a\n and then nothing"))
    ann = labeler(open_page, campaign).open()
    shown = ann.at("#frame .now")
    expect(shown).to_have_css("image-rendering", "pixelated")
    expect(shown).to_have_attribute("alt", "The image to label")
    for key in "123":
        ann.press(key)
    expect(ann.at("#toasts .toast").first).to_have_text(REPORTED)
    # Nobody else is asked them.
    ann.await_state("idle", "finished")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert skipped(campaign) == {
        damaged.pk: ("not_decodable", "machine"), missing.pk: ("not_found", "machine"),
    }  # fmt: skip
    out = Image.objects.filter(campaign=campaign, state="excluded")
    assert dict(out.values_list("pk", "excluded_for")) == {
        damaged.pk: "damaged", missing.pk: "gone",
    }  # fmt: skip
    detail = Turn.objects.get(image=missing, state="skipped").skip_detail
    assert detail.startswith("HTTP 404; Chrome ")
    for key, data in whole.items():
        default_storage.delete(key)
        default_storage.save(key, ContentFile(data))
    faults.check_aside(campaign_id=campaign.pk, after=0)
    assert ask(campaign, 2) == 2
    for key in "45":
        ann.press(key)
    ann.await_state("idle", "finished")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed, "they came to who could not see them, too"


def test_a_picture_that_one_browser_cannot_show_goes_to_another(
    make_digits: MakeDigits, open_page: OpenPage
) -> None:
    campaign = make_digits(images=2)
    ann, ben = labeler(open_page, campaign), labeler(open_page, campaign)
    blind, other = Image.objects.filter(campaign=campaign)

    def garble(route: Route) -> None:
        route.fulfill(body=b"no picture", content_type="image/png")

    ann.page.route(f"**/{blind.sha256}*", garble)
    ann.open().press("1")
    ann.await_state("idle", "pool_empty")
    ann.await_pending(0)
    assert skipped(campaign) == {blind.pk: ("not_decodable", "machine")}
    ben.open().press("2")
    ben.await_state("idle", "finished")
    assert Image.objects.filter(campaign=campaign, state="labeled").count() == 2
    assert Turn.objects.filter(image=other, state="answered").count() == 1


def test_a_browser_that_can_show_none_of_them_stops_and_says_so(
    make_digits: MakeDigits, open_page: OpenPage
) -> None:
    campaign = make_digits(images=30)
    ann = labeler(open_page, campaign)
    ann.page.route(
        "**/i/**", lambda route: route.fulfill(body=b"no picture", content_type="image/png")
    )
    ann.go()
    expect(ann.at("#panel-title")).to_have_text("This browser cannot show these images")
    ann.await_link("resting")
    reports = skipped(campaign)
    assert len(reports) < 6, "it does not walk through the campaign"
    assert set(reports.values()) == {("not_decodable", "machine")}
    # Put back by somebody, they come to this person again.
    assert len(excluded.put_back(image_ids=reports)) == len(reports)
    ann.page.unroute("**/i/**")
    ann.page.keyboard.press("q")
    ann.press("1")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed


CERTAIN = {404: "not_found", 410: "not_found"}


def test_only_what_is_certain_is_said_of_a_picture(
    start: Start, make_digits: MakeDigits, console: Console
) -> None:
    console.allow("Failed to load resource", "net::ERR")
    page = start(images=1).page
    with default_storage.open(Image.objects.filter(split="pool")[0].key, "rb") as file:
        whole = file.read()
    answers: dict[str, dict[str, Any]] = {
        **{
            f"status {code}": {"status": code} for code in [*range(400, 432), 451, *range(500, 512)]
        },
        "a picture": {"body": whole, "content_type": "image/png"},
        "garbage": {"body": b"no picture", "content_type": "image/png"},
        "half": {"body": whole[: len(whole) // 2], "content_type": "image/png"},
        "nothing": {"body": b"", "content_type": "image/png"},
        # As a network with a log-in of its own answers.
        "a page": {"body": "<h1>Log in</h1>", "content_type": "text/html"},
        "no type": {"body": whole, "headers": {}},
    }

    def answer(route: Route) -> None:
        name = unquote(route.request.url.rpartition("/")[2])
        if name == "lost":
            route.abort("connectionreset")
        else:
            route.fulfill(**answers[name])

    page.route("**/asked/*", answer)
    told = page.evaluate(
        """async (names) => {
            const { whyNot } = await import("/static/labeling/pictures.js");
            const told = {};
            for (const name of names) told[name] = (await whyNot(`/asked/${name}`)).problem;
            return told;
        }""",
        [*answers, "lost"],
    )
    said = {name: problem for name, problem in told.items() if problem}
    assert said == {
        **{f"status {code}": problem for code, problem in CERTAIN.items()},
        **dict.fromkeys(["garbage", "half", "nothing"], "not_decodable"),
    }


def test_a_browser_says_its_name_and_no_more(start: Start) -> None:
    page = start(images=1).page
    agents = {
        "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0": "Firefox 130",
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/128.0 Safari/537.36 Edg/128.1":
            "Edge 128",
        "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0 Safari/537.36":
            "Chrome 128",
        "Mozilla/5.0 (Macintosh) AppleWebKit/605.1 (KHTML, like Gecko) Version/17.4 Safari/605.1":
            "Safari 17",
        "curl/8": "another browser",
    }  # fmt: skip
    told = page.evaluate(
        """async (agents) => {
            const { browserName } = await import("/static/labeling/pictures.js");
            return agents.map(browserName);
        }""",
        list(agents),
    )
    assert told == list(agents.values())


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
