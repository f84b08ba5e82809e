"""In a language that is written from right to left the page is its own mirror image."""

from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import FloatRect, Locator
from stock import make_annotator

from al_engine.pools.models import Choice

from .conftest import MakeDigits, OpenPage
from .labeler import Labeler

# Languages of this direction differ from others by this one attribute of the page.
MIRRORED: Final = """new MutationObserver(() => {
  document.documentElement.dir = "rtl";
}).observe(document, { childList: true });"""
TITLE: Final = "תמונות של ציפורי שיר שצולמו ליד הבית הלבן בקצה הרחוב הארוך של העיר העתיקה"
CLASSES: Final = [
    "ירגזי מצוי שצולם ליד הבית הלבן בקצה הרחוב הארוך",
    "חוחית",
    "عصفور دوري على غصن طويل جدا في حديقة المدينة القديمة",
    "בולבול",
]
SIZES: Final = [(1440, 900), (834, 1112), (390, 844)]


def box(place: Locator) -> FloatRect:
    """Where an element is, once it is there: a sheet may be on its way yet."""
    place.wait_for()
    found = place.bounding_box()
    assert found
    return found


@pytest.fixture
def opened(make_digits: MakeDigits, open_page: OpenPage) -> Callable[..., Labeler]:
    """Opens the page of one campaign for one person in either direction; gives two answers."""
    campaign = make_digits(title=TITLE)
    names = [*CLASSES, *(f"מין {number}" for number in range(5, 11))]
    for choice, name in zip(campaign.choices.all(), names, strict=True):
        Choice.objects.filter(pk=choice.pk).update(name=name)
    person = make_annotator(campaign)

    def open_one(size: tuple[int, int], *, mirrored: bool) -> Labeler:
        page = open_page(person, viewport={"width": size[0], "height": size[1]})
        if mirrored:
            page.add_init_script(MIRRORED)
        ann = Labeler(page, campaign, person.annotator_id).open()
        for key in "12":
            ann.press(key)
        ann.shown()
        return ann

    return open_one


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_everything_lies_where_its_mirror_image_would(
    opened: Callable[..., Labeler], size: tuple[int, int]
) -> None:
    plain, mirrored = (opened(size, mirrored=each) for each in (False, True))
    for selector in (
        "#labeler .rail",
        "#stage",
        "#undo",
        "#pause",
        "#help-open",
        ".menu-open",
        ".mark",
    ):
        one, other = (box(ann.at(selector)) for ann in (plain, mirrored))
        assert other["x"] == pytest.approx(size[0] - one["x"] - one["width"], abs=1.5), selector
        assert other["y"] == pytest.approx(one["y"], abs=1.5), selector
    for ann in (plain, mirrored):
        wide = ann.page.evaluate("document.documentElement.scrollWidth")
        assert wide == size[0]
        for name in ann.at("#choices .choice-name").all():
            inside, around = box(name), box(name.locator(".."))
            assert around["x"] <= inside["x"]
            assert inside["x"] + inside["width"] <= around["x"] + around["width"]
            assert name.evaluate("each => getComputedStyle(each).direction") == "rtl"
        assert ann.at("h1").evaluate("each => getComputedStyle(each).direction") == "rtl"


def test_the_sheet_comes_from_the_other_side_and_the_arrow_back_points_there(
    opened: Callable[..., Labeler],
) -> None:
    ann = opened((1440, 900), mirrored=True)
    ann.page.keyboard.press("?")
    sheet = box(ann.at("#help"))
    assert sheet["x"] + sheet["width"] == pytest.approx(1440, abs=1)
    ann.page.keyboard.press("?")
    query, _ = ann.pressed.pop()
    ann.page.keyboard.press("ArrowLeft")  # forward: means nothing
    ann.page.keyboard.press("ArrowRight")
    ann.await_query(query)
