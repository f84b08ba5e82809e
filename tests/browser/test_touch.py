"""A phone labels as well as a keyboard: everything within reach, nothing to scroll."""

from itertools import cycle
from typing import Any

import pytest
from playwright.sync_api import expect
from stock import make_annotator, make_campaign

from .conftest import OpenPage, Start
from .labeler import Labeler

PHONE: dict[str, Any] = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
SCREENS = {"upright": (390, 844), "small": (320, 568), "on its side": (844, 390)}
LEAST_PX = 44  # what a thumb hits


def test_digits_are_labeled_skipped_and_taken_back_by_taps(start: Start) -> None:
    ann = start({**PHONE, "viewport": {"width": 390, "height": 844}})
    digits = cycle("7290")
    for _ in range(8):
        digit = next(digits)
        query = ann.shown()
        ann.at("#choices .choice").nth(int(digit)).tap()
        ann.pressed.append((query, digit))
    ann.shown()
    ann.at('.actions [data-action="bad_image"]').tap()
    ann.shown()
    query, _ = ann.pressed.pop()
    ann.at("#undo").tap()
    ann.await_query(query)
    ann.at("#choices .choice").nth(3).tap()
    ann.pressed.append((query, "3"))
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert ann.stored_ever() == 9


@pytest.mark.parametrize("size", SCREENS.values(), ids=SCREENS.keys())
def test_everything_is_on_the_screen_and_large_enough(start: Start, size: tuple[int, int]) -> None:
    width, height = size
    ann = start({**PHONE, "viewport": {"width": width, "height": height}})
    for key in "12":
        ann.press(key)
    assert ann.page.evaluate(
        """() => { const {scrollHeight, scrollWidth} = document.documentElement;
          return [scrollHeight <= innerHeight, scrollWidth <= innerWidth]; }"""
    ) == [True, True]
    image = ann.at("#frame img").bounding_box()
    assert image is not None
    assert min(image["width"], image["height"]) >= 120
    for place in ("#choices .choice", ".actions button", "#undo"):
        for element in ann.at(place).all():
            box = element.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
            assert min(box["width"], box["height"]) >= LEAST_PX, element.inner_text()


@pytest.mark.parametrize("count", [2, 10, 41, 200])
def test_any_number_of_classes_finds_its_place(
    open_page: OpenPage, transactional_db: None, count: int
) -> None:
    names = [f"class of the kind {number}" for number in range(count)]
    campaign = make_campaign(classes=names)
    person = make_annotator(campaign)
    page = open_page(person, **PHONE, viewport={"width": 390, "height": 844})
    ann = Labeler(page, campaign, person.annotator_id)
    page.goto(f"/c/{campaign.slug}/")
    expect(ann.at("#choices .choice")).to_have_count(count)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    expect(ann.at("#search")).to_be_visible(visible=count > 40)
