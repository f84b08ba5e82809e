"""A person's own pace and goal: set by themselves, told once, seen by nobody else."""

import re

from playwright.sync_api import expect

from .conftest import Start


def test_a_goal_is_counted_from_when_it_was_set_and_told_once(start: Start) -> None:
    ann = start(images=40)
    done = ann.at("#session-done")
    expect(done).to_have_text("0 answers")
    for key in "12":
        ann.press(key)
    expect(done).to_have_text("2 answers")
    ann.at("#session-open").click()
    expect(ann.at("#goal-progress")).to_be_hidden()
    ann.page.get_by_label("Answers that you want to give").fill("3")
    expect(ann.page.get_by_label("Another:")).to_be_checked()
    ann.page.keyboard.press("Escape")
    expect(ann.at("#session")).to_be_hidden()
    expect(ann.at("#session-open")).to_be_focused()  # not the field, which would keep the keys
    expect(done).to_have_text("0 of 3")
    reached = ann.at("#toasts").get_by_text("That was your goal of 3 answers.")
    for key in "34":
        ann.press(key)
    expect(done).to_have_text("2 of 3")
    expect(reached).to_have_count(0)
    ann.press("5")
    expect(reached).to_have_count(1)
    ann.press("6")
    ann.undo()
    ann.press("7")
    expect(done).to_have_text("4 of 3")
    expect(reached).to_have_count(1)
    ann.await_pending(0)
    assert ann.stored() == ann.pressed


def test_a_reload_goes_on_with_the_session(start: Start) -> None:
    ann = start(images=40)
    ann.at("#session-open").click()
    ann.page.get_by_label("50", exact=True).check()
    expect(ann.at("#goal-progress")).to_have_attribute("max", "50")
    ann.page.keyboard.press("Escape")
    ann.press("1")
    ann.await_pending(0)
    ann.open()
    expect(ann.at("#session-done")).to_have_text("1 of 50")
    ann.at("#session-open").click()
    expect(ann.page.get_by_label("50", exact=True)).to_be_checked()
    ann.page.get_by_label("None", exact=True).check()
    ann.page.keyboard.press("Escape")
    expect(ann.at("#session-done")).to_have_text("1 answer")
    fresh = ann.beside().open()
    expect(fresh.at("#session-done")).to_have_text("0 answers")


def test_the_pace_is_that_of_the_last_minutes(start: Start) -> None:
    ann = start(images=40, clock=True)
    pace = ann.at("#pace")
    expect(pace).to_have_text("The pace shows after a few answers.")
    ann.press("1")
    for key in "2345":
        # An answer that is not confirmed for so long would make the page connect anew.
        ann.await_pending(0)
        ann.page.clock.fast_forward(10_000)
        ann.press(key)
    expect(pace).to_have_text(re.compile(r"^[5-9] answers a minute$"))
    ann.await_pending(0)
    ann.page.clock.fast_forward(6 * 60_000)
    expect(pace).to_have_text("The pace shows after a few answers.")
