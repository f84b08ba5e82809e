"""A phone labels as well as a keyboard: everything within reach, nothing to scroll."""

from itertools import cycle
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from stock import make_annotator, make_campaign

from .conftest import OpenPage, Start
from .labeler import Labeler

PHONE: dict[str, Any] = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
SCREENS = ((390, 844), (320, 568), (844, 390), (834, 1112))
LEAST_PX = 44  # what a thumb hits
LEAST_IMAGE_PX = 120


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


def test_everything_is_on_any_phones_screen_and_large_enough(start: Start) -> None:
    ann = start({**PHONE, "viewport": {"width": 390, "height": 844}})
    for key in "12":
        ann.press(key)
    for width, height in SCREENS:
        ann.page.set_viewport_size({"width": width, "height": height})
        assert fits(ann.page), (width, height)
        assert fits(ann.page, "#choices"), (width, height)
        image = ann.at("#frame .now").bounding_box()
        assert image is not None
        assert min(image["width"], image["height"]) >= LEAST_IMAGE_PX
        for place in ("#choices .choice", ".actions button", "#undo"):
            for element in ann.at(place).all():
                box = element.bounding_box()
                assert box is not None
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width
                assert box["y"] + box["height"] <= height
                assert min(box["width"], box["height"]) >= LEAST_PX, element.inner_text()


@pytest.mark.parametrize("count", [40, 200, 1_000])
def test_any_number_of_classes_finds_its_place(
    open_page: OpenPage, transactional_db: None, count: int
) -> None:
    campaign = make_campaign(classes=[f"class of the kind {number}" for number in range(count)])
    person = make_annotator(campaign)
    page = open_page(person, **PHONE, viewport={"width": 390, "height": 844})
    ann = Labeler(page, campaign, person.annotator_id)
    ann.go()
    expect(ann.at("#choices .choice")).to_have_count(count)
    for width, height in (*SCREENS, (1440, 900)):
        page.set_viewport_size({"width": width, "height": height})
        assert fits(page), (width, height)
    expect(ann.at("#search")).to_be_visible(visible=count > 40)


def fits(page: Page, part: str = "html") -> bool:
    """Whether nothing of a part of the page has to be scrolled into view."""
    inside: bool = page.locator(part).evaluate(
        "part => part.scrollHeight <= part.clientHeight && part.scrollWidth <= part.clientWidth"
    )
    return inside
