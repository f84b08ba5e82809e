"""An answer means an image that was seen: painted, and for the time for which it was in view."""

import io
from pathlib import Path

import pytest
from PIL import Image as Picture
from playwright.sync_api import Page, expect
from stock import ask, make_annotator, make_campaign

from al_engine.pools.models import Campaign, Label
from annotator_site.importing.image_import import import_images

from .conftest import OpenPage, Start
from .labeler import Labeler

SIDE = 1024
COLORS = (
    (200, 30, 30),
    (30, 160, 40),
    (40, 60, 200),
    (230, 200, 20),
    (150, 30, 160),
    (20, 20, 20),
)


@pytest.fixture
def colors(transactional_db: None, tmp_path: Path) -> Campaign:
    """A campaign of megapixel images, each of one color."""
    campaign = make_campaign()
    for number, color in enumerate(COLORS):
        Picture.new("RGB", (SIDE, SIDE), color).save(tmp_path / f"{number}.png")
    assert import_images(campaign=campaign, source=tmp_path, known="none").added == len(COLORS)
    ask(campaign, len(COLORS))
    return campaign


def color_on_screen(page: Page) -> tuple[int, ...]:
    """The color in the middle of the stage."""
    box = page.locator("#frame").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shot = page.screenshot(clip={"x": x, "y": y, "width": 1, "height": 1})
    pixel = Picture.open(io.BytesIO(shot)).convert("RGB").getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel


def test_an_image_may_be_answered_once_its_pixels_are_on_the_screen(
    open_page: OpenPage, colors: Campaign
) -> None:
    page = open_page(person := make_annotator(colors))
    ann = Labeler(page, colors, person.annotator_id).open()
    seen = []
    for number in range(len(COLORS)):
        query = ann.shown()
        seen.append(color_on_screen(page))
        ann.press("1")
        if number + 1 < len(COLORS):
            page.wait_for_selector(f'#stage[data-armed]:not([data-query="{query}"])')
    assert sorted(seen) == sorted(COLORS)


def test_the_next_images_are_painted_ahead_and_nobody_sees_them(
    open_page: OpenPage, colors: Campaign
) -> None:
    page = open_page(person := make_annotator(colors))
    ann = Labeler(page, colors, person.annotator_id).open()
    expect(page.locator("#frame .waiting")).to_have_count(2)
    assert color_on_screen(page) in COLORS  # unmixed
    # What is there for the eye alone is not read out.
    assert page.locator("#frame img[alt='']").count() == 2
    query = ann.press("2")
    page.wait_for_selector(f'#stage[data-armed]:not([data-query="{query}"])')
    expect(page.locator("#frame img")).to_have_count(3)


def test_the_time_in_a_hidden_tab_does_not_count(start: Start) -> None:
    ann = start(clock=True)
    ann.shown()
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    ann.page.evaluate(hide, True)
    ann.page.clock.fast_forward(60_000)
    ann.page.evaluate(hide, False)
    query = ann.press("2")
    ann.await_pending(0)
    assert Label.objects.get(turn_id=query).shown_ms < 30_000
