"""When saving takes long, the page says so calmly, keeps everything, and lets the person go on."""

from collections.abc import Callable

import orjson
import psycopg
import pytest
from playwright.sync_api import WebSocketRoute, expect

from al_engine.pools import signals

from .axe import violations
from .conftest import Start
from .labeler import Labeler

DELAYED = "Saving is delayed. Nothing is lost"
SAVED = "Your answers are saved."


class Wire:
    """The page's links: what goes over them can be held back, changed, and added to."""

    def __init__(self, ann: Labeler) -> None:
        self.holds = False
        self.change: Callable[[dict[str, object]], None] = lambda _: None
        self.links: list[WebSocketRoute] = []
        ann.page.route_web_socket("**/label/", self._connect)

    def _connect(self, page: WebSocketRoute) -> None:
        server = page.connect_to_server()
        self.links.append(page)

        def say(text: str | bytes) -> None:
            message = orjson.loads(text)
            if self.holds and message["type"] != "ready":
                return
            self.change(message)
            server.send(orjson.dumps(message).decode())

        page.on_message(say)

    def tell(self, code: str) -> None:
        """Let the server say this to the page."""
        notice = {"type": "notice", "level": "warning", "code": code, "message": "…"}
        self.links[-1].send(orjson.dumps(notice).decode())


def test_what_a_locked_image_keeps_is_kept_and_said_and_saved_in_the_end(start: Start) -> None:
    ann = start(images=12)
    query = ann.shown()
    with psycopg.connect(**signals.connection_info()) as somebody:
        somebody.execute(
            "SELECT FROM pools_image WHERE id = (SELECT image_id FROM pools_turn"
            " WHERE id = %s) FOR UPDATE",
            [query],
        )
        for key in "123":
            ann.press(key)
        expect(ann.at("#toasts")).to_contain_text(DELAYED)
        expect(ann.at("#toasts")).to_have_attribute("role", "status")
        expect(ann.at("#link")).to_have_text("Saving is delayed · 3 answers kept")
        expect(ann.at("#session-done")).to_have_text("0 answers")
        ann.press("4")
        expect(ann.at("#link")).to_have_text("Saving is delayed · 4 answers kept")
        assert violations(ann.page) == []
    ann.await_pending(0)
    expect(ann.at("#toasts")).to_contain_text(SAVED)
    ann.await_link("live")
    expect(ann.at("#session-done")).to_have_text("4 answers")
    assert ann.stored() == ann.pressed


def test_the_pages_own_clock_says_so_as_well(start: Start) -> None:
    ann = start(clock=True)
    wire = Wire(ann)
    ann.open()
    wire.holds = True
    ann.press("1")
    ann.page.clock.fast_forward(4_500)
    expect(ann.at("#toasts")).to_contain_text(DELAYED)
    expect(ann.at("#link")).to_have_text("Saving is delayed · 1 answer kept")
    wire.holds = False
    ann.page.clock.fast_forward(6_500)  # for a new link
    ann.await_pending(0)
    ann.await_link("live")
    assert ann.stored() == ann.pressed


def test_a_link_whose_server_says_that_it_keeps_them_is_not_given_up(start: Start) -> None:
    ann = start(clock=True)
    wire = Wire(ann)
    ann.open()
    wire.holds = True
    ann.press("1")
    for _ in range(4):
        ann.page.clock.fast_forward(5_000)
        wire.tell("saving_delayed")
        expect(ann.at("#link")).to_have_text("Saving is delayed · 1 answer kept")
    assert len(wire.links) == 1
    expect(ann.at("#toasts").get_by_text(DELAYED)).to_have_count(0, timeout=10_000)
    wire.holds = False
    ann.page.clock.fast_forward(11_000)
    ann.await_pending(0)
    assert len(wire.links) == 2
    assert ann.stored() == ann.pressed


def test_a_delay_is_said_once_and_its_end_too(start: Start) -> None:
    ann = start()
    wire = Wire(ann)
    ann.open()
    for _ in range(3):
        wire.tell("saving_delayed")
    expect(ann.at("#toasts").get_by_text(DELAYED)).to_have_count(1)
    wire.tell("saving_again")
    wire.tell("saving_again")
    expect(ann.at("#toasts").get_by_text(SAVED)).to_have_count(1)
    ann.await_link("live")


@pytest.mark.parametrize("refused", ["label", "undo"])
def test_what_is_refused_changes_no_goal(start: Start, refused: str) -> None:
    ann = start()
    wire = Wire(ann)
    ann.open()
    done = ann.at("#session-done")
    ann.press("1")
    expect(done).to_have_text("1 answer")

    def spoil(message: dict[str, object]) -> None:
        if message["type"] == refused == "label":
            message["choice"] = 2**40
        elif message["type"] == refused == "undo":
            message["label"] = "00000000-0000-4000-8000-000000000000"

    wire.change = spoil
    if refused == "label":
        ann.press("2")
    else:
        ann.page.keyboard.press("Backspace")
    ann.await_pending(0)
    expect(ann.at("#toasts .toast")).to_have_count(1)
    wire.change = lambda _: None
    ann.press("3")
    ann.await_pending(0)
    expect(done).to_have_text("2 answers")
    expect(ann.at("body")).to_have_attribute("data-mine", "2")
