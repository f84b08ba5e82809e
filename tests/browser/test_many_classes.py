"""A thousand classes: the first have digits as keys, and all are found by a part of their name."""

from playwright.sync_api import expect

from .conftest import Start

NAMES = [f"species {number:03}, {kind}" for number in range(500) for kind in ("adult", "young")]


def test_any_of_a_thousand_classes_is_a_few_letters_away(start: Start) -> None:
    ann = start(classes=NAMES)
    caps = ann.at("#choices .choice kbd").all_inner_texts()
    assert "".join(caps) == "1234567890"
    first = ann.press("3")
    ann.pressed.clear()
    expected = [(first, "2")]
    for words, place in (("421, y", 843), ("species 499, a", 998), ("young", 1)):
        query = ann.shown()
        ann.page.keyboard.press("/")
        ann.page.keyboard.type(words)
        expect(ann.at("#choices .choice[data-marked] .choice-name")).to_have_text(
            NAMES[place], use_inner_text=True
        )
        ann.page.keyboard.press("Enter")
        ann.page.wait_for_selector(f'#stage[data-armed]:not([data-query="{query}"])')
        # The field stays, empty, for the next.
        expect(ann.at("#search")).to_have_value("")
        expect(ann.at("#search-words")).to_have_text("1,000 classes")
        ann.page.keyboard.press("Escape")
        expected.append((query, str(place)))
    ann.await_pending(0)
    assert ann.stored() == expected
