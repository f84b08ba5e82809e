"""The instructions slide in over the image, and while they lie there no key answers."""

from playwright.sync_api import expect

from al_engine.pools.models import Label

from .conftest import Start


def test_the_sheet_opens_and_closes_and_no_key_answers_while_it_is_open(start: Start) -> None:
    ann = start(instructions="A **seven** has a bar.\n\n- Look twice.")
    query = ann.shown()
    sheet = ann.at("#help")
    expect(sheet).to_be_hidden()
    for key in ("?", "h"):
        ann.page.keyboard.press(key)
        expect(sheet).to_be_visible()
        ann.page.keyboard.press(key)
        expect(sheet).to_be_hidden()
    ann.at("#help-open").click()
    expect(ann.at("#help .help-text strong")).to_have_text("seven")
    expect(ann.at("#help-choices li")).to_have_count(10)
    for key in ("1", "u", "x", "s", "Backspace"):
        ann.page.keyboard.press(key)
    expect(sheet).to_be_visible()
    ann.page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(ann.at("#strip li")).to_have_count(0)
    assert ann.press("3") == query
    ann.await_pending(0)
    assert ann.stored() == [(query, "3")]


def test_the_time_under_the_sheet_does_not_count_as_looking(start: Start) -> None:
    ann = start(clock=True)
    ann.press("1")
    ann.await_pending(0)
    ann.shown()
    ann.at("#help-open").click()
    # Its module may still be on the way, and a text is there before it is seen.
    expect(ann.at("#help")).to_be_visible()
    expect(ann.at("#help .help-text")).to_contain_text("Choose the class that fits")
    ann.page.clock.fast_forward(60_000)
    ann.page.mouse.click(20, 400)  # beside it
    expect(ann.at("#help")).to_be_hidden()
    query = ann.press("2")
    ann.await_pending(0)
    assert Label.objects.get(turn_id=query).shown_ms < 30_000
