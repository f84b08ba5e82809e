"""Looking closer: zoom, position, turn, brightness and contrast, by keys, buttons and touch."""

from typing import Any

from playwright.sync_api import CDPSession, expect
from stock import make_annotator

from .conftest import MakeDigits, OpenPage, Start
from .labeler import Labeler

PHONE: dict[str, Any] = {
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
    "viewport": {"width": 390, "height": 844},
}


def test_keys_change_the_view_and_the_next_image_is_in_its_place_again(start: Start) -> None:
    ann = start()
    said = ann.at("#view-words")
    query = ann.shown()
    before = ann.at("#frame .now").bounding_box()
    assert before is not None
    for key in ("+", "+", "-", "r", "ArrowUp", "ArrowUp", ",", "Shift+ArrowLeft"):
        ann.page.keyboard.press(key)
    expect(said).to_have_text("Size 125 % · Turned 90° · Brightness 120 % · Contrast 90 %")
    now = ann.at("#frame .now").bounding_box()
    assert now is not None
    assert round(now["width"]) == round(1.25 * before["height"])
    assert now["x"] + now["width"] / 2 > before["x"] + before["width"] / 2  # moved to the right
    expect(ann.at("#stage")).to_have_attribute("data-query", str(query))
    assert ann.press("3") == query
    ann.shown()
    # Size, place and turn were this image's; the tones are the person's, and stay.
    expect(said).to_have_text("Brightness 120 % · Contrast 90 %")
    assert ann.at("#frame .now").bounding_box() == before
    expect(ann.at("#frame .now")).to_have_css("filter", "brightness(1.2) contrast(0.9)")
    ann.page.keyboard.press("Escape")
    expect(said).to_have_text("")
    expect(ann.at("#frame .now")).to_have_css("filter", "none")
    ann.await_pending(0)
    assert ann.stored() == [(query, "3")]


def test_the_tools_do_what_the_keys_do(start: Start) -> None:
    ann = start()
    query = ann.shown()
    tools = ann.at("#tools")
    tools.locator("summary").click()
    for name in ("Larger", "Turn", "Darker", "More contrast"):
        tools.get_by_role("button", name=name).click()
    expect(ann.at("#view-words")).to_have_text(
        "Size 125 % · Turned 90° · Brightness 90 % · Contrast 110 %"
    )
    tools.get_by_role("button", name="Reset").click()
    expect(ann.at("#view-words")).to_have_text("")
    assert ann.press("5") == query


def test_the_wheel_enlarges_what_lies_under_it_and_a_drag_moves_it(start: Start) -> None:
    ann = start()
    ann.shown()
    frame = ann.at("#frame").bounding_box()
    assert frame is not None
    at = (frame["x"] + frame["width"] / 2 + 60, frame["y"] + frame["height"] / 2 + 40)
    before = ann.at("#frame .now").bounding_box()
    assert before is not None
    share = (at[0] - before["x"]) / before["width"]
    ann.page.mouse.move(*at)
    ann.page.mouse.wheel(0, -100)
    expect(ann.at("#view-words")).to_have_text("Size 128 %")
    large = ann.at("#frame .now").bounding_box()
    assert large is not None
    assert abs((at[0] - large["x"]) / large["width"] - share) < 0.01
    ann.page.mouse.down()
    ann.page.mouse.move(at[0] - 30, at[1] - 20, steps=3)
    ann.page.mouse.up()
    moved = ann.at("#frame .now").bounding_box()
    assert moved is not None
    assert (round(moved["x"] - large["x"]), round(moved["y"] - large["y"])) == (-30, -20)


def test_a_class_with_the_letter_keeps_it_and_the_tool_moves_to_shift(
    make_digits: MakeDigits, open_page: OpenPage
) -> None:
    campaign = make_digits(classes=["r", *"0123456789"])
    ann = Labeler(open_page(person := make_annotator(campaign)), campaign, person.annotator_id)
    ann.open()
    expect(ann.at('[data-cap="rotate"]')).to_have_text("⇧R")
    ann.page.keyboard.press("Shift+R")
    expect(ann.at("#view-words")).to_have_text("Turned 90°")
    query = ann.press("r")
    ann.await_pending(0)
    assert [each for each, _ in ann.stored()] == [query]


class Fingers:
    """Fingers on the image of a phone."""

    def __init__(self, ann: Labeler) -> None:
        self._session: CDPSession = ann.page.context.new_cdp_session(ann.page)
        box = ann.at("#frame").bounding_box()
        assert box is not None
        self._middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def go(self, *steps: list[tuple[int, int]]) -> None:
        """Put fingers down, move them and take them away; places relative to the middle."""
        x, y = self._middle
        for number, places in enumerate(steps):
            points = [{"x": x + dx, "y": y + dy, "id": at} for at, (dx, dy) in enumerate(places)]
            kind = "touchMove" if number else "touchStart"
            self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        self._session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def swipe(self, across: int) -> None:
        """One finger, sideways."""
        self.go([(-across // 2, 0)], [(0, 4)], [(across // 2, 6)])


def test_two_fingers_enlarge_and_one_then_moves(start: Start) -> None:
    ann = start(PHONE)
    query = ann.shown()
    fingers = Fingers(ann)
    fingers.go([(-40, 0), (40, 0)], [(-60, 0), (60, 0)], [(-80, 0), (80, 0)])
    expect(ann.at("#view-words")).to_have_text("Size 200 %")
    large = ann.at("#frame .now").bounding_box()
    fingers.go([(0, 0)], [(30, 0)], [(80, 0)])
    moved = ann.at("#frame .now").bounding_box()
    assert large is not None
    assert moved is not None
    assert moved["x"] > large["x"]
    # It moved the image and took nothing back; nothing was answered either.
    expect(ann.at("#stage")).to_have_attribute("data-query", str(query))
    ann.await_pending(0)
    assert ann.stored_ever() == 0


def test_a_swipe_brings_the_last_image_back(start: Start) -> None:
    ann = start(PHONE)
    query = ann.press("4")
    ann.shown()
    fingers = Fingers(ann)
    fingers.swipe(-160)  # the other way means nothing
    fingers.go([(0, 0)], [(20, 60)], [(80, 160)])  # nor does a slant
    fingers.swipe(160)
    ann.await_query(query)
    ann.await_pending(0)
    assert ann.stored() == []
    assert ann.stored_ever() == 1


def test_of_two_classes_each_has_its_side_to_be_swiped_to(
    make_digits: MakeDigits, open_page: OpenPage
) -> None:
    campaign = make_digits(classes=["0", "1"])
    person = make_annotator(campaign)
    ann = Labeler(open_page(person, **PHONE), campaign, person.annotator_id).open()
    first, second = (each.bounding_box() for each in ann.at("#choices .choice").all())
    assert first is not None
    assert second is not None
    assert first["x"] < second["x"]
    fingers = Fingers(ann)
    one = ann.shown()
    fingers.swipe(-160)
    ann.page.wait_for_selector(f'#stage[data-armed]:not([data-query="{one}"])')
    two = ann.shown()
    fingers.swipe(160)
    ann.page.wait_for_selector(f'#stage[data-armed]:not([data-query="{two}"])')
    ann.await_pending(0)
    assert ann.stored() == [(one, "0"), (two, "1")]
