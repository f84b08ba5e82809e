"""Pictures that do not show: waited for, or reported; never a verdict that nobody gave."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from playwright.sync_api import Route, expect
from stock import ask

from al_engine.pools import excluded, faults
from al_engine.pools.models import Campaign, Image, Turn

from .conftest import Console, MakeDigits, OpenPage, Start
from .labeler import PATIENCE_MS, Labeler
from .pictures_not_shown import AWAY, labeler, sent_by, skipped

REPORTED = "An image could not be shown here. That was reported."


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
