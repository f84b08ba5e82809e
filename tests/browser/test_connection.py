"""Slow links, lost links, reloads and second tabs: nothing is lost, nothing comes twice."""

from playwright.sync_api import Dialog, WebSocketRoute, expect

from .conftest import Console, Start
from .labeler import Labeler

KEYS = "12345678"


class HeldLink:
    """A link on which what the page says is held back until it is let through."""

    def __init__(self, ann: Labeler) -> None:
        self.holds = True
        self._held: list[tuple[WebSocketRoute, str]] = []
        ann.page.route_web_socket("**/label/", self._connect)

    def _connect(self, page: WebSocketRoute) -> None:
        server = page.connect_to_server()

        def say(text: str | bytes) -> None:
            assert isinstance(text, str)
            if self.holds and '"ready"' not in text:
                self._held.append((server, text))
            else:
                server.send(text)

        page.on_message(say)

    def let_through(self) -> None:
        """Send what was held back, and hold nothing from now on."""
        self.holds = False
        for server, text in self._held:
            server.send(text)
        self._held.clear()


def test_nobody_waits_for_a_slow_link(start: Start) -> None:
    ann = start(clock=True)
    link = HeldLink(ann)
    ann.open()
    for key in "1234":
        ann.press(key)
    # The fifth image of the buffer is there, and nothing is confirmed yet.
    ann.shown()
    ann.await_pending(4)
    expect(ann.at('#strip li[data-saved="false"]')).to_have_count(4)
    ann.page.clock.fast_forward(2_500)
    ann.await_link("slow")
    expect(ann.at("#link")).to_have_text("Saving 4 answers")
    link.let_through()
    ann.await_pending(0)
    ann.await_link("live")
    expect(ann.at('#strip li[data-saved="true"]')).to_have_count(4)
    assert ann.stored() == ann.pressed


def test_a_link_that_answers_nothing_is_given_up_for_a_new_one(start: Start) -> None:
    ann = start(clock=True)
    link = HeldLink(ann)
    ann.open()
    for key in "12":
        ann.press(key)
    link.holds = False  # for the next one
    ann.page.clock.fast_forward(10_500)
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    link.let_through()  # the copies that were stuck
    ann.press("3")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert ann.stored_ever() == 3


def test_answers_that_were_not_sent_survive_a_reload(start: Start) -> None:
    ann = start()
    link = HeldLink(ann)
    ann.open()
    for key in "123":
        ann.press(key)
    ann.undo()
    ann.press("7")
    ann.press("s")
    ann.await_pending(6)
    assert ann.stored() == []
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    ann.page.on("dialog", leave)
    link.holds = False
    ann.open()
    assert asked == ["beforeunload"]
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    # The way back to them survives, too.
    expect(ann.at("#strip li")).to_have_count(3)
    ann.undo()
    ann.await_pending(0)
    assert ann.stored() == ann.pressed


def test_a_reload_keeps_the_queries_that_were_held(start: Start) -> None:
    ann = start(images=5)
    first = ann.press("1")
    ann.await_pending(0)
    ann.open()
    seen = {ann.press(key) for key in "2345"}
    ann.await_pending(0)
    # All that there were, with none lost to the page's earlier life.
    assert len(seen) == 4
    assert first not in seen
    ann.await_state("idle", "finished")
    assert ann.stored() == ann.pressed


def test_two_tabs_label_side_by_side(start: Start) -> None:
    ann = start(images=24)
    other = ann.beside().open()
    for key in "12345":
        ann.press(key)
        other.press(key)
    ann.await_pending(0)
    other.await_pending(0)
    pressed = ann.pressed + other.pressed
    assert len({query for query, _ in pressed}) == 10
    assert sorted(ann.stored()) == sorted(pressed)


def test_a_tab_sends_what_a_tab_that_was_closed_left_behind(start: Start) -> None:
    ann = start()
    HeldLink(ann)
    ann.open()
    for key in "123":
        ann.press(key)
    ann.await_pending(3)
    ann.page.close()
    other = ann.beside().open()
    other.await_pending(0)
    assert ann.stored() == ann.pressed


def test_what_two_tabs_send_twice_is_stored_once(start: Start) -> None:
    ann = start()
    link = HeldLink(ann)
    ann.open()
    for key in "123":
        ann.press(key)
    ann.await_pending(3)
    other = ann.beside().open()
    other.await_pending(0)
    link.let_through()
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert ann.stored_ever() == 3


def test_a_network_that_comes_and_goes_loses_nothing(start: Start, console: Console) -> None:
    console.allow_lost_links()
    ann = start(images=24)
    for key in KEYS:
        ann.press(key)
        ann.shown()
        ann.page.context.set_offline(True)
        ann.press(key)
        ann.await_link("reconnecting")
        ann.page.context.set_offline(False)
        ann.await_link("live")
    ann.await_pending(0)
    assert ann.stored() == ann.pressed
    assert ann.stored_ever() == 2 * len(KEYS)


def test_the_page_says_that_it_has_no_connection_and_what_is_kept(
    start: Start, console: Console
) -> None:
    console.allow_lost_links()
    ann = start(images=3, clock=True)
    ann.page.context.set_offline(True)
    for key in "123":
        ann.press(key)
    ann.page.clock.fast_forward(5_000)
    ann.await_state("connecting", "unreachable")
    expect(ann.at("#panel-kept")).to_contain_text("3 answers kept in this browser")
    expect(ann.at("#link")).to_have_text("Offline · 3 answers unsent")
    ann.page.keyboard.press("4")  # nothing is shown, so nothing is answered
    ann.await_pending(3)
    ann.page.context.set_offline(False)
    ann.await_state("idle", "finished")
    assert ann.stored() == ann.pressed
