"""No page in any state breaks a rule of WCAG 2.2 A or AA that axe-core can judge."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect
from stock import Person, make_annotator, make_campaign, make_user

from al_engine.pools import campaigns
from al_engine.pools.models import Annotator, Campaign

from .axe import violations
from .conftest import Console, MakeDigits, OpenPage, Start, log_in
from .gold import add_gold_digits
from .labeler import Labeler

LOOKS: Final[list[dict[str, Any]]] = [
    {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
]
"""Each size and each scheme once: colors do not depend on the size."""


@pytest.fixture(
    params=LOOKS, ids=lambda look: f"{look['viewport']['width']}-{look['color_scheme']}"
)
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A size of the window and colors."""
    given: dict[str, Any] = request.param
    return given


def classes(count: int) -> list[str]:
    """Names of classes; the first ten are those of the digits that are asked."""
    return [*"0123456789", *(f"a kind of thing {number}" for number in range(10, count))]


def test_log_in_home_and_errors(
    open_page: OpenPage, console: Console, make_digits: MakeDigits, look: dict[str, Any]
) -> None:
    console.allow("status of 404", "status of 403")
    page = open_page(**look)
    page.goto("/accounts/login/")
    assert violations(page) == []
    page.locator("#id_username").fill("nobody")
    page.locator("#id_password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#login-error")).to_be_visible()
    assert violations(page) == []
    page.goto("/nowhere")
    assert violations(page) == []
    stranger = open_page(Person(make_user(is_staff=True), 0, ""), **look)
    stranger.goto("/")
    assert violations(stranger) == []
    stranger.goto(f"/c/{make_campaign().slug}/")
    assert violations(stranger) == []
    person = make_annotator(make_digits())
    for state in ("paused", "finished"):
        other = make_campaign(title=f"A campaign that is {state}")
        Campaign.objects.filter(pk=other.pk).update(state=state)
        campaigns.join(campaign_id=other.pk, user_id=person.user.pk)
    page = open_page(person, **look)
    page.goto("/")
    page.locator(".menu-open").click()
    assert violations(page) == []


@pytest.mark.parametrize("count", [10, 12, 60])
def test_labeling_with_few_and_with_many_classes(
    start: Start, look: dict[str, Any], count: int
) -> None:
    ann = start(look, images=12, classes=classes(count))
    assert violations(ann.page) == []
    ann.press("1")
    ann.shown()
    ann.page.keyboard.press("u" if count <= 40 else "Shift+U")
    ann.shown()
    assert violations(ann.page) == []
    ann.at("#help-open").click()
    assert violations(ann.page) == []


def test_labeling_with_three_classes(
    make_digits: MakeDigits, open_page: OpenPage, look: dict[str, Any]
) -> None:
    campaign = make_digits()
    campaign.choices.filter(position__gte=3).delete()
    person = make_annotator(campaign)
    ann = Labeler(open_page(person, **look), campaign, person.annotator_id).open()
    expect(ann.at("#choices button")).to_have_count(3)
    assert violations(ann.page) == []


def test_the_introduction_and_the_practice(
    make_digits: MakeDigits, open_page: OpenPage, look: dict[str, Any]
) -> None:
    campaign = make_digits(instructions="Look at the **loop**.", practice_images=1)
    add_gold_digits(campaign, 20)
    person = make_annotator(campaign)
    ann = Labeler(open_page(person, **look), campaign, person.annotator_id)
    ann.go()
    expect(ann.at("#help-choices .examples").first).to_be_visible()
    assert violations(ann.page) == []
    ann.page.keyboard.press("Escape")
    ann.page.wait_for_selector("#practice-stage[data-armed]")
    assert violations(ann.page) == []
    ann.page.keyboard.press("5")
    expect(ann.at("#practice-next")).to_be_visible()
    assert violations(ann.page) == []
    ann.page.keyboard.press("Enter")
    expect(ann.at("#practice-done")).to_be_focused()
    assert violations(ann.page) == []


def states(ann: Labeler) -> Iterator[Page]:
    """The page in each state in which there is no image."""
    ann.at("#session-open").click()
    ann.page.get_by_label("25", exact=True).check()
    yield ann.page
    ann.page.keyboard.press("Escape")
    ann.page.keyboard.press("p")
    ann.await_link("resting")
    yield ann.page
    ann.page.keyboard.press("Enter")
    ann.shown()
    ann.campaign.choices.filter(name="9").update(name="nine")
    ann.await_state("changed", "changed")
    yield ann.page
    ann.page.keyboard.press("Enter")
    ann.press("1")
    ann.press("2")
    ann.await_state("idle", "pool_empty")
    yield ann.page
    for state in (Campaign.State.PAUSED, Campaign.State.FINISHED):
        campaigns.set_state(campaign_id=ann.campaign.pk, state=state)
        ann.await_state("idle", str(state))
        yield ann.page
    ann.page.keyboard.press("Backspace")  # refused: a notice appears
    expect(ann.at("#toasts .toast")).to_be_visible()
    yield ann.page
    Annotator.objects.filter(pk=ann.annotator_id).update(active=False)
    ann.await_state("closed", "4403")
    yield ann.page
    log_in(ann.page.context, ann.page.evaluate("location.origin"), Person(make_user(), 0, ""))
    ann.page.evaluate("() => dispatchEvent(new Event('focus'))")
    ann.await_state("closed", "stranger")
    yield ann.page


def test_every_state_without_an_image(start: Start, look: dict[str, Any], console: Console) -> None:
    console.allow_refusals()
    ann = start(look, images=4, asked=2)
    for page in states(ann):
        page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
        assert violations(page) == []


def test_the_administration_of_a_campaign_without_images_and_its_refusals(
    open_page: OpenPage, console: Console, transactional_db: None, look: dict[str, Any]
) -> None:
    campaign = make_campaign(title="Cats of Lisbon")
    owner = Person(make_user(is_staff=True, is_superuser=True), 0, "")
    page = open_page(owner, **look)
    page.goto("/admin/pools/campaign/")
    assert violations(page) == []
    page.goto(f"/admin/pools/campaign/{campaign.pk}/change/")
    assert violations(page) == []
    page.goto("/admin/pools/campaign/add/")
    for number in range(2):
        page.locator(f"#id_choices-{number}-name").fill("cat")
    page.locator("[name=_save]").click()
    expect(page.get_by_text("Write a short name")).to_be_visible()
    expect(page.locator(".nw-refused")).to_contain_text("Two classes are called “cat”")
    page.get_by_role("link", name="To the classes").click()
    expect(page.locator("#choices-group")).to_be_in_viewport()
    assert violations(page) == []
