"""Keys of one's own: chosen on a sheet, shown on the buttons, kept in the browser."""

from playwright.sync_api import expect

from .conftest import Start
from .labeler import Labeler


def open_sheet(ann: Labeler) -> None:
    """Open the sheet of the keys from the help."""
    ann.page.keyboard.press("?")
    ann.at("#own-keys-open").click()
    expect(ann.at("#own-keys")).to_be_visible()


def caps(ann: Labeler) -> list[str]:
    """The keys on the buttons of the classes."""
    return ann.at("#choices .choice kbd").all_inner_texts()


def test_keys_are_chosen_said_kept_and_given_back(start: Start) -> None:
    ann = start()
    assert caps(ann) == list("0123456789")
    open_sheet(ann)
    said = ann.at("#own-keys-words")
    choices = ann.at("#own-keys-list .choice")
    ann.page.keyboard.press("j")
    expect(said).to_have_text("Choose a class, then press the key that you want for it.")
    choices.nth(7).click()
    expect(said).to_have_text("Press the key for 7.")
    ann.page.keyboard.press("?")
    expect(said).to_have_text("? is a key of the page itself. Press a letter or a digit.")
    ann.page.keyboard.press("j")
    expect(said).to_have_text("7 has the key J.")
    choices.nth(7).click()
    ann.page.keyboard.press("3")
    expect(said).to_have_text("3 was the key of 3, which has J now.")
    ann.page.keyboard.press("Escape")
    ann.page.keyboard.press("Escape")
    expect(ann.at("#help")).to_be_hidden()
    assert caps(ann) == list("012J456389")
    first = ann.press("j")
    second = ann.press("3")
    ann.await_pending(0)
    assert ann.stored() == [(first, "3"), (second, "7")]
    ann.open()
    assert caps(ann) == list("012J456389")
    open_sheet(ann)
    ann.at("#own-keys-reset").click()
    expect(said).to_have_text("The classes have the campaign’s keys again.")
    assert caps(ann) == list("0123456789")


def test_an_action_gives_way_to_a_key_of_ones_own(start: Start) -> None:
    ann = start()
    open_sheet(ann)
    ann.at("#own-keys-list .choice").nth(2).click()
    ann.page.keyboard.press("u")
    expect(ann.at("#own-keys-words")).to_have_text("2 has the key U.")
    ann.at("#own-keys-close").click()
    ann.page.keyboard.press("?")
    expect(ann.at("#help")).to_be_hidden()
    expect(ann.at('.actions [data-cap="unsure"]')).to_have_text("⇧U")
    query = ann.press("u")
    ann.await_pending(0)
    assert ann.stored() == [(query, "2")]


def test_the_arrows_go_back_and_forth_through_the_last_twenty(start: Start) -> None:
    ann = start(images=30)
    for number in range(22):
        ann.press(str(number % 10))
    expect(ann.at("#strip li")).to_have_count(20)
    last, _ = ann.pressed[-1]
    ann.page.keyboard.press("ArrowLeft")
    ann.await_query(last)
    before, _ = ann.pressed[-2]
    ann.page.keyboard.press("ArrowLeft")
    ann.await_query(before)
    ann.page.keyboard.press("ArrowRight")
    ann.await_query(last)
    ann.page.keyboard.press("ArrowRight")
    ann.page.wait_for_selector(f'#stage[data-armed]:not([data-query="{last}"])')
    present = ann.shown()
    ann.page.keyboard.press("ArrowRight")  # there is nothing further on
    assert ann.shown() == present
    ann.await_pending(0)
    assert sorted(ann.stored()) == sorted(ann.pressed)
