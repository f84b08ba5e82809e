"""What a person presses is what is stored: in order, once each, whatever the network does."""

from itertools import cycle

from playwright.sync_api import expect

from al_engine.pools.models import Label, Turn

from .conftest import Console, Start


def test_thirty_digits_by_keyboard_through_an_undo_a_skip_and_a_lost_network(
    start: Start, console: Console
) -> None:
    console.allow_lost_links()
    ann = start(images=45)
    keys = cycle("3141592653589793")
    for _ in range(12):
        ann.press(next(keys))
    undone = ann.undo()
    assert ann.press("7") == undone
    skipped = ann.press("u")
    ann.await_pending(0)
    ann.await_images(13 + 4)
    ann.page.context.set_offline(True)
    ann.await_link("reconnecting")
    # What is in the buffer goes on; all of it is kept.
    for _ in range(4):
        ann.press(next(keys))
    ann.await_pending(4)
    ann.page.context.set_offline(False)
    ann.await_link("live")
    for _ in range(14):
        ann.press(next(keys))
    ann.await_pending(0)
    assert len(ann.pressed) == 30
    assert ann.stored() == ann.pressed
    assert ann.stored_ever() == 31  # and the one that was undone
    retracted = Label.objects.get(annotator_id=ann.annotator_id, retracted_at__isnull=False)
    assert retracted.turn_id == undone
    turn = Turn.objects.get(pk=skipped)
    assert (turn.state, turn.skip_reason) == ("skipped", "unsure")
    expect(ann.at("body")).to_have_attribute("data-mine", "30")
    expect(ann.at("#progress")).to_have_attribute("aria-valuenow", str(round(100 * 30 / 45)))


def test_keys_pressed_faster_than_images_are_painted_answer_no_unseen_image(start: Start) -> None:
    ann = start()
    ann.shown()
    # All in one task: no frame is painted in between, so only the first can mean an image.
    ann.page.evaluate(
        """() => { for (const key of "12345")
          document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true})); }"""
    )
    ann.await_pending(0)
    assert [digit for _, digit in ann.stored()] == ["1"]


def test_a_key_that_is_held_down_answers_once(start: Start) -> None:
    ann = start()
    ann.shown()
    for _ in range(5):
        ann.page.keyboard.down("4")  # repeats after the first
    ann.page.keyboard.up("4")
    ann.await_pending(0)
    assert [digit for _, digit in ann.stored()] == ["4"]
    second = ann.shown()
    for combination in ("Control+4", "Alt+4", "Meta+4"):
        ann.page.keyboard.press(combination)
    assert ann.press("5") == second
    ann.await_pending(0)
    assert [digit for _, digit in ann.stored()] == ["4", "5"]


def test_a_click_answers_and_the_space_bar_does_not_answer_again(start: Start) -> None:
    ann = start()
    query = ann.shown()
    ann.at("#choices .choice").nth(8).click()
    ann.page.wait_for_selector(f'#stage[data-armed]:not([data-query="{query}"])')
    ann.page.keyboard.press("Space")
    ann.page.keyboard.press("Enter")
    ann.await_pending(0)
    assert ann.stored() == [(query, "8")]


def test_each_way_not_to_answer_has_its_reason(start: Start) -> None:
    ann = start()
    by_key = {key: ann.press(key) for key in "uxs"}
    for action in ("unsure", "bad_image", "other"):
        query = ann.shown()
        ann.at(f'.actions [data-action="{action}"]').click()
        by_key[action] = query
        ann.page.wait_for_selector(f'#stage[data-armed]:not([data-query="{query}"])')
    ann.await_pending(0)
    reasons = {key: Turn.objects.get(pk=query).skip_reason for key, query in by_key.items()}
    assert reasons == {
        "u": "unsure",
        "x": "bad_image",
        "s": "other",
        **{reason: reason for reason in ("unsure", "bad_image", "other")},
    }
    assert ann.stored() == []


def test_an_older_answer_is_taken_back_from_the_strip(start: Start) -> None:
    ann = start()
    queries = [ann.press(key) for key in "123"]
    ann.await_pending(0)
    current = ann.shown()
    expect(ann.at('#strip li[data-saved="true"]')).to_have_count(3)
    ann.at("#strip li button").nth(2).click()  # newest first: the first answer
    ann.await_query(queries[0])
    ann.press("9")
    # What was on the stage comes back after it.
    assert ann.shown() == current
    ann.await_pending(0)
    assert sorted(ann.stored()) == sorted(zip(queries, "923", strict=True))
    assert ann.stored_ever() == 4


def test_undo_has_three_keys_and_a_button_and_ends_where_one_began(start: Start) -> None:
    ann = start()
    expect(ann.at("#undo")).to_be_disabled()
    ann.page.keyboard.press("Backspace")
    first = ann.press("1")
    for key in ("ArrowLeft", "z", "Backspace"):
        ann.page.keyboard.press(key)
        ann.await_query(first)
        assert ann.press("1") == first
    ann.at("#undo").click()
    ann.await_query(first)
    ann.await_pending(0)
    expect(ann.at("#undo")).to_be_disabled()
    expect(ann.at("body")).to_have_attribute("data-mine", "0")
    assert ann.stored() == []
    assert ann.stored_ever() == 4


def test_the_time_that_an_image_was_in_view_is_stored(start: Start) -> None:
    ann = start(clock=True)
    query = ann.press("1")
    second = ann.shown()
    before = ann.page.evaluate("performance.now()")
    ann.page.clock.run_for(2_500)
    shown_ms = ann.page.evaluate("performance.now()") - before
    ann.press("2")
    ann.await_pending(0)
    labels = Label.objects.filter(campaign=ann.campaign)
    stored = dict(labels.values_list("turn_id", "shown_ms"))
    assert set(stored) == {query, second}
    assert 2_500 <= shown_ms <= stored[second] < shown_ms + 2_000
