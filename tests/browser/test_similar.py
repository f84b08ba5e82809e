"""The row of similar images on an image's page comes by itself, and leads on by the keyboard."""

from pathlib import Path
from typing import Any, Final

import pytest
import torch
from django.conf import settings
from playwright.sync_api import Page, expect
from stock import Person, make_user

from al_engine import embedded
from al_engine.pools.models import Campaign, Image
from al_engine.training.embedding_file import EmbeddingFile

from .axe import violations
from .conftest import Console, MakeDigits, OpenPage

FROZEN: Final = "frozen:tf_efficientnet_lite0"


@pytest.fixture
def campaign(make_digits: MakeDigits) -> Campaign:
    """Twenty digits on a frozen backbone, all embedded but the last; 3 and 5 are near-copies."""
    made = make_digits(images=20, asked=4, architectures=[FROZEN], image_size=224)
    folder = Path(settings.VAR) / "cache" / embedded.folder_name(
        campaign_id=made.pk, architecture=FROZEN, image_size=224, sha256="a" * 64
    )  # fmt: skip
    rows = torch.randn(19, 40, generator=torch.Generator().manual_seed(1)) + 1
    rows[5] = rows[3] + 0.01
    EmbeddingFile(folder, 40).write(range(19), rows)
    return made


def image(campaign: Campaign, position: int) -> Image:
    return Image.objects.get(campaign=campaign, position=position)


def open_image(open_page: OpenPage, wanted: Image, **look: Any) -> Page:
    page = open_page(Person(make_user(is_staff=True, is_superuser=True), 0, ""), **look)
    page.goto(f"/admin/pools/image/{wanted.pk}/change/")
    return page


@pytest.mark.parametrize(
    "look",
    [
        {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
        {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    ],
    ids=["1440-light", "390-dark"],
)
def test_the_row_comes_after_the_page_and_leads_to_the_next_by_the_keyboard(
    campaign: Campaign, open_page: OpenPage, look: dict[str, Any]
) -> None:
    page = open_image(open_page, image(campaign, 3), **look)
    row = page.get_by_role("region", name="Similar images")
    expect(row.get_by_role("listitem")).to_have_count(12)
    expect(row.get_by_role("status")).to_contain_text("The closest of 18 other images")
    first = row.get_by_role("listitem").first
    expect(first).to_contain_text("nearly the same picture")
    for each in row.get_by_role("img").all():
        assert each.get_attribute("alt", timeout=1_000)
        expect(each).to_have_js_property("complete", True)
        assert each.evaluate("(image) => image.naturalWidth") == 8
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    link = first.get_by_role("link")
    link.focus()
    page.keyboard.press("Tab")
    expect(row.get_by_role("listitem").nth(1).get_by_role("link")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/pools/image/{image(campaign, 5).pk}/change/")


def test_an_image_that_is_not_embedded_says_so_and_a_site_that_is_away_is_asked_again(
    campaign: Campaign, open_page: OpenPage, console: Console
) -> None:
    page = open_image(open_page, image(campaign, 19))
    state = page.locator("#similar-state")
    expect(state).to_contain_text("has embedded 19 images of this campaign")
    console.allow("ERR_FAILED")
    page.route("**/similar/", lambda route: route.abort())
    page.goto(f"/admin/pools/image/{image(campaign, 3).pk}/change/")
    expect(state).to_contain_text("the site does not answer")
    page.unroute("**/similar/")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#similar-row li")).to_have_count(12)
