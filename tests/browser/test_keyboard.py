"""Everything is reached, seen and left by the keyboard, large enough, and nothing is lost."""

from typing import Any, Final

import pytest
from playwright.sync_api import Page, expect

from .conftest import Start

TARGETS: Final = """() => [...document.querySelectorAll("a, button, input, [role=button]")]
  .map((each) => each.closest("label") ?? each)
  .filter((each) => each.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
  .filter((each) => !each.closest("dialog:not([open]), [popover]:not(:popover-open)"))
  .map((each) => [each.outerHTML.slice(0, 80), each.getBoundingClientRect()])
  .filter(([, { width, height }]) => width < 44 || height < 44)
  .map(([html, { width, height }]) => `${html} ${width} x ${height}`)"""
FOCUS: Final = """() => {
  const { activeElement: each } = document;
  const { outlineStyle, outlineWidth } = getComputedStyle(each);
  const { top, left, bottom, right, width } = each.getBoundingClientRect();
  const { choice, action } = each.dataset;
  return {
    id: each === document.body ? "BODY" : each.id || choice || action || each.className,
    ring: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
    seen: width > 0 && top >= -1 && left >= -1 && bottom <= innerHeight + 1
      && right <= innerWidth + 1,
  };
}"""
SIZES: Final = [(1440, 900), (390, 844)]


def viewport(width: int, height: int, **options: Any) -> dict[str, Any]:
    """A window of this size."""
    return {"viewport": {"width": width, "height": height}, **options}


def walk(page: Page, most: int = 60) -> list[str]:
    """What Tab leads to, from the beginning of the page until it comes round."""
    reached: list[str] = []
    while len(reached) < most:
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUS)
        if at["id"] == "BODY" or (reached and at["id"] == reached[0]):
            return reached
        assert at["ring"], at
        assert at["seen"], at
        reached.append(at["id"])
    return reached


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_tab_leads_to_everything_and_the_focus_is_seen(start: Start, size: tuple[int, int]) -> None:
    ann = start(viewport(*size), images=12)
    ann.press("1")
    ann.shown()
    expect(ann.at("#strip .past")).to_be_visible()
    reached = walk(ann.page)
    assert reached[0] == "mark"
    wanted = {"help-open", "undo", "past", "session-open", "pause", "unsure", "bad_image", "other"}
    assert wanted <= set(reached)
    assert {str(choice) for choice in ann.digits} <= set(reached)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_whatever_is_pressed_is_large_enough(start: Start, size: tuple[int, int]) -> None:
    ann = start(viewport(*size), images=12)
    ann.press("1")
    ann.shown()
    assert ann.page.evaluate(TARGETS) == []
    for opener, sheet in (("#help-open", "#help"), ("#session-open", "#session")):
        ann.at(opener).click()
        ann.at(sheet).wait_for()
        assert ann.page.evaluate(TARGETS) == []
        ann.page.keyboard.press("Escape")
    ann.at(".menu-open").click()
    assert ann.page.evaluate(TARGETS) == []
    ann.page.goto("/")
    assert ann.page.evaluate(TARGETS) == []


def test_the_focus_goes_back_to_where_a_sheet_was_opened(start: Start) -> None:
    ann = start(images=12)
    for opener, sheet in (("#help-open", "#help"), ("#session-open", "#session")):
        ann.at(opener).focus()
        ann.page.keyboard.press("Enter")
        expect(ann.at(sheet)).to_be_visible()
        inside = ann.page.evaluate("document.activeElement.closest('dialog')?.id")
        assert f"#{inside}" == sheet
        ann.page.keyboard.press("Escape")
        expect(ann.at(sheet)).to_be_hidden()
        expect(ann.at(opener)).to_be_focused()
    ann.at(".menu-open").focus()
    ann.page.keyboard.press("Enter")
    expect(ann.at("#menu")).to_be_visible()
    ann.page.keyboard.press("Escape")
    expect(ann.at(".menu-open")).to_be_focused()


def test_a_whole_session_needs_the_keyboard_alone(start: Start) -> None:
    ann = start(images=12)
    first = ann.at("#choices button").first
    first.focus()
    query = ann.shown()
    ann.page.keyboard.press("Space")  # a button that has the focus
    ann.pressed.append((query, "0"))
    ann.shown()
    expect(first).to_be_focused()  # and keeps it for the next image
    query = ann.shown()
    ann.page.keyboard.press("Enter")
    ann.pressed.append((query, "0"))
    ann.shown()
    expect(ann.at("#strip button")).to_have_count(2)  # drawn a moment after the next image
    ann.at("#strip button").first.focus()
    ann.page.keyboard.press("Enter")  # undone
    ann.await_query(query)
    ann.pressed.pop()
    ann.press("4")
    ann.await_pending(0)
    assert sorted(ann.stored()) == sorted(ann.pressed)


def test_a_new_image_and_what_was_done_are_spoken(start: Start) -> None:
    ann = start(images=12)
    spoken = ann.at("#spoken")
    expect(spoken).to_have_attribute("aria-live", "polite")
    expect(spoken).to_have_text("Image 1. Choose one of 10 classes.")
    expect(ann.page.get_by_role("img", name="The image to label")).to_have_count(1)
    expect(ann.page.get_by_role("group", name="Classes").get_by_role("button")).to_have_count(10)
    ann.press("7")
    expect(spoken).to_have_text("Image 2. Choose one of 10 classes.")
    ann.undo()
    expect(spoken).to_have_text("Undone: 7. Choose again.")
    ann.page.keyboard.press("p")
    expect(spoken).to_contain_text("Paused by you.")


@pytest.mark.parametrize("size", [(720, 450), (640, 400), (320, 640)], ids=str)
def test_a_page_magnified_to_twice_its_size_loses_nothing(
    start: Start, size: tuple[int, int]
) -> None:
    ann = start(viewport(*size, device_scale_factor=2), images=12)
    ann.press("1")
    ann.shown()
    assert ann.page.evaluate("document.documentElement.scrollWidth") <= size[0]
    image = ann.at("#frame img.now").bounding_box()
    assert image
    assert min(image["width"], image["height"]) >= 100
    walk(ann.page)  # each is scrolled into view, whole
    ann.page.keyboard.press("?")
    ann.at("#help-choices li").last.scroll_into_view_if_needed()
    expect(ann.at("#help-choices li").last).to_be_in_viewport()
    ann.page.keyboard.press("Escape")
    ann.at("#session-open").click()
    for each in ("#session input >> nth=0", "#goal-own", "#session button"):
        ann.at(each).scroll_into_view_if_needed()
        expect(ann.at(each)).to_be_in_viewport()


def test_whoever_wants_no_motion_sees_none(start: Start) -> None:
    ann = start(images=12)
    moving = (
        "document.getAnimations().filter((each) => each.effect.getTiming().duration > 0).length"
    )
    for key in ("?", "Escape", "p"):
        ann.page.keyboard.press(key)
        assert ann.page.evaluate(moving) == 0
