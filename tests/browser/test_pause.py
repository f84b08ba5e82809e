"""A person who pauses keeps nobody waiting, and goes on with any key."""

from playwright.sync_api import WebSocketRoute, expect
from stock import make_annotator

from al_engine.pools.models import Label

from .conftest import Console, MakeDigits, OpenPage, Start
from .labeler import Labeler


def test_whoever_pauses_has_no_image_and_goes_on_with_any_key(start: Start) -> None:
    ann = start(images=40)
    ann.press("1")
    ann.shown()
    ann.page.keyboard.press("p")
    ann.await_state("resting", "break")
    expect(ann.at("#panel-title")).to_have_text("Paused by you")
    expect(ann.at("#frame .now")).to_have_count(0)
    expect(ann.at("#undo")).to_be_disabled()
    ann.await_link("resting")
    ann.page.keyboard.press("5")
    ann.press("2")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    ann.at("#pause").click()
    ann.await_state("resting", "break")
    ann.at("#panel-button").click()
    ann.shown()
    ann.at("#pause").click()
    ann.await_state("resting", "break")
    ann.at("#pause").click()  # the same button ends it
    ann.press("3")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed


def test_what_was_held_goes_to_somebody_else_at_once(
    make_digits: MakeDigits, open_page: OpenPage
) -> None:
    campaign = make_digits(images=3, resume_seconds=3600)
    one, other = (make_annotator(campaign) for _ in range(2))
    first = Labeler(open_page(one), campaign, one.annotator_id).open()
    second = Labeler(open_page(other), campaign, other.annotator_id)
    second.go()
    second.await_state("idle", "pool_empty")
    first.page.keyboard.press("p")
    for key in "123":
        second.press(key)
    second.await_pending(0)
    assert second.stored() == second.pressed


def test_what_was_answered_is_saved_before_the_link_is_closed(start: Start) -> None:
    ann = start(images=40)
    ends: list[int | None] = []
    held: list[str | bytes] = []
    slow = [False]

    def between(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda frame: held.append(frame) if slow[0] else socket.send(frame))

        def closed(code: int | None, reason: str | None) -> None:
            ends.append(code)
            server.close(code=code, reason=reason)

        socket.on_close(closed)

    ann.page.route_web_socket("**/label/", between)
    ann.open()
    slow[0] = True  # no ack comes through
    ann.press("1")
    ann.page.keyboard.press("p")
    ann.await_state("resting", "break")
    ann.await_pending(1)
    expect(ann.at("#link")).to_have_attribute("data-link", "live")
    while not any("ack" in str(frame) for frame in held):
        ann.page.wait_for_timeout(20)
    assert ends == []
    slow[0] = False
    ann.page.evaluate("dispatchEvent(new Event('offline'))")  # again, and now with the ack
    ann.await_link("resting")
    ann.await_pending(0)
    assert ends[-1] == 1000
    assert ann.stored() == ann.pressed


def test_a_pause_without_a_network_loses_nothing(start: Start, console: Console) -> None:
    console.allow_lost_links()
    ann = start(images=40)
    ann.page.context.set_offline(True)
    ann.await_link("reconnecting")
    ann.press("1")
    ann.page.keyboard.press("p")
    ann.await_state("resting", "break")
    ann.await_pending(1)
    ann.page.context.set_offline(False)
    ann.page.keyboard.press("Enter")
    ann.press("2")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed


def test_a_pause_is_not_time_in_view(start: Start) -> None:
    ann = start(images=40, clock=True)
    ann.shown()
    ann.page.keyboard.press("p")
    ann.await_link("resting")
    ann.page.clock.fast_forward(60_000)
    ann.page.keyboard.press("Enter")
    query = ann.press("2")
    ann.await_pending(0)
    assert Label.objects.get(turn_id=query).shown_ms < 30_000
