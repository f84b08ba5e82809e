"""Who comes for the first time is shown what is meant, and practices where that is wanted."""

import re

import pytest
from playwright.sync_api import Page, Route, expect
from stock import Person, make_annotator

from al_engine.pools.models import Annotator, Campaign, Image, Label

from .conftest import Console, MakeDigits, OpenPage
from .gold import add_gold_digits
from .labeler import PATIENCE_MS, Labeler

KEYS = ["1", "7", "u", "x", "Backspace", "p"]


@pytest.fixture
def person(make_digits: MakeDigits) -> Person:
    """The annotator of a campaign that wants a practice with three images."""
    campaign = make_digits(instructions="Look at the **loop**.", practice_images=3)
    add_gold_digits(campaign, 80)
    return make_annotator(campaign)


def labeler(page: Page, person: Person) -> Labeler:
    """The page of the person's campaign."""
    campaign = Annotator.objects.get(pk=person.annotator_id).campaign
    return Labeler(page, campaign, person.annotator_id)


def practice_image(ann: Labeler) -> str:
    """The true digit of the image that is shown for practice."""
    ann.page.wait_for_selector("#practice-stage[data-armed]", timeout=PATIENCE_MS)
    address = ann.at("#practice-frame img").get_attribute("src") or ""
    digest = re.search(r"([0-9a-f]{64})", address)
    assert digest
    image = Image.objects.get(campaign=ann.campaign, sha256=digest[1])
    assert (image.split, image.known_choice_id is None) == ("gold", False)
    return ann.digits[image.known_choice_id or 0]


def answer(ann: Labeler, *, right: bool) -> str:
    """Answer an image of the practice; returns what it is."""
    digit = practice_image(ann)
    said = digit if right else str((int(digit) + 1) % 10)
    ann.page.keyboard.press(said)
    words = f"Right: {digit}." if right else f"This is {digit}, not {said}."
    expect(ann.at("#practice-said")).to_have_text(words)
    expect(ann.at("#practice-choices [data-mark=right]")).to_contain_text(digit)
    return digit


def test_the_first_time_the_instructions_come_before_the_images_and_then_no_more(
    person: Person, open_page: OpenPage
) -> None:
    Campaign.objects.filter(annotators=person.annotator_id).update(practice_images=0)
    page = open_page(person)
    ann = labeler(page, person)
    ann.go()
    expect(ann.at("#help")).to_be_visible()
    expect(ann.at("#help .help-text strong")).to_have_text("loop")
    expect(ann.at("#help-close")).to_contain_text("Begin")
    expect(ann.at("#help-choices li")).to_have_count(10)
    first = ann.at("#help-choices li").first
    expect(first.locator(".examples")).to_have_attribute("aria-label", "Examples of 0")
    expect(first.locator(".examples img")).to_have_count(4)
    assert first.locator("img").first.evaluate("image => image.decode().then(() => true)")
    # Nothing waits in this person's hands while they read.
    expect(ann.at("#link")).to_have_attribute("data-link", "connecting")
    for key in KEYS:
        page.keyboard.press(key)
    expect(ann.at("#help")).to_be_visible()
    with page.expect_response("**/passed/"):
        page.keyboard.press("Escape")
    ann.shown()
    ann.await_pending(0)
    assert not Label.objects.filter(campaign=ann.campaign).exists()
    elsewhere = labeler(open_page(person), person).open()
    expect(elsewhere.at("#help")).to_be_hidden()
    elsewhere.page.keyboard.press("?")
    expect(elsewhere.at("#help-choices .examples img")).to_have_count(40)
    expect(elsewhere.at("#help-close")).to_contain_text("Close")


def test_a_practice_tells_at_once_what_was_right_and_none_of_it_is_a_label(
    person: Person, open_page: OpenPage
) -> None:
    ann = labeler(open_page(person), person)
    ann.go()
    ann.at("#help-close").click()
    expect(ann.at("#practice-at")).to_have_text("Image 1 of 3")
    practice_image(ann)
    for key in ("u", "x", "Backspace", "Escape", "?", "p"):
        ann.page.keyboard.press(key)
    expect(ann.at("#practice-said")).to_be_empty()
    seen = {answer(ann, right=True)}
    ann.page.keyboard.press("5")  # it has been answered
    expect(ann.at("#practice-at")).to_have_text("Image 1 of 3")
    ann.page.keyboard.press("Enter")
    expect(ann.at("#practice-at")).to_have_text("Image 2 of 3")
    seen.add(answer(ann, right=False))
    ann.page.keyboard.press("Space")
    seen.add(answer(ann, right=True))
    assert len(seen) == 3  # one of each class
    ann.page.keyboard.press("Enter")
    expect(ann.at("#practice-score")).to_have_text("2 of 3 images right")
    with ann.page.expect_response("**/passed/"):
        ann.page.keyboard.press("Enter")  # Begin has the focus
    ann.press("4")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert Label.objects.filter(campaign=ann.campaign).count() == 1
    elsewhere = labeler(open_page(person), person).open()
    expect(elsewhere.at("#practice")).to_be_hidden()


def test_a_practice_that_is_wanted_is_not_left_half_way(
    person: Person, open_page: OpenPage
) -> None:
    ann = labeler(open_page(person), person)
    ann.go()
    ann.at("#help-close").click()
    practice_image(ann)
    expect(ann.at("#practice-close")).to_be_hidden()
    for _ in range(3):
        ann.page.keyboard.press("Escape")
    expect(ann.at("#practice")).to_be_visible()
    expect(ann.at("#link")).to_have_attribute("data-link", "connecting")
    ann.go()  # a reload begins it again, without the instructions
    practice_image(ann)
    expect(ann.at("#help")).to_be_hidden()


def test_whoever_practices_again_may_leave_and_goes_on_with_fresh_images(
    person: Person, open_page: OpenPage
) -> None:
    Annotator.objects.filter(pk=person.annotator_id).update(
        introduced_at="2026-01-01T00:00Z", practiced_at="2026-01-01T00:00Z"
    )
    ann = labeler(open_page(person), person).open()
    ann.press("3")
    ann.shown()
    ann.page.keyboard.press("?")
    ann.page.get_by_role("button", name="Practice again").click()
    answer(ann, right=False)
    expect(ann.at("#link")).to_have_attribute("data-link", "resting")
    ann.at("#practice-close").click()
    expect(ann.at("#practice")).to_be_hidden()
    ann.press("4")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed


def test_an_image_that_cannot_be_shown_does_not_count(
    person: Person, open_page: OpenPage, console: Console
) -> None:
    console.allow("status of 404")
    page = open_page(person)
    gone: list[str] = []

    def all_but_one(route: Route) -> None:
        if not gone or gone[0] == route.request.url:
            gone[:] = [route.request.url]
            route.fulfill(status=404)
        else:
            route.continue_()

    Annotator.objects.filter(pk=person.annotator_id).update(introduced_at="2026-01-01T00:00Z")
    page.route("**/i/**", all_but_one)
    ann = labeler(page, person)
    ann.go()
    for _ in range(2):
        answer(ann, right=True)
        page.keyboard.press("Enter")
    expect(ann.at("#practice-score")).to_have_text("2 of 2 images right")


def test_a_practice_waits_for_a_storage_that_is_away_and_is_not_passed_without_images(
    person: Person, open_page: OpenPage, console: Console
) -> None:
    console.allow("503 (Service Unavailable)", "status of 404")
    Annotator.objects.filter(pk=person.annotator_id).update(introduced_at="2026-01-01T00:00Z")
    page = open_page(person)
    status = 503
    page.route("**/i/**", lambda route: route.fulfill(status=status))
    ann = labeler(page, person)
    ann.go()
    expect(ann.at("#practice-said")).to_have_text("Images cannot be loaded now")
    expect(ann.at("#practice-at")).to_have_text("Image 1 of 3")
    status = 404
    expect(ann.at("#practice-score")).to_contain_text("could not be fetched")
    page.unroute("**/i/**")
    page.get_by_role("button", name="Practice again").click()
    for _ in range(3):
        answer(ann, right=True)
        page.keyboard.press("Enter")
    expect(ann.at("#practice-score")).to_have_text("3 of 3 images right")
