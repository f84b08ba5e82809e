"""Bytes reach their parser in order and whole, in pieces, and no faster than the budget."""

import random
from collections.abc import Callable

import pytest

from annotator_site.network import trickle
from annotator_site.network.limits import LINGER_BYTES
from annotator_site.network.trickle import (
    BYTES_PER_S,
    FIRST_BYTES,
    FRAMES_PER_S,
    IDLE_FRAMES,
    LARGEST_BYTES,
    SMALLEST_BYTES,
    Trickle,
)

Frame = tuple[int, int, bool]
"""Its opcode, its size, and whether it is a whole message."""
TEXT: Frame = (1, 5, True)
IDLE: dict[str, Frame] = {
    "empty": (1, 0, True),
    "binary": (2, 5, True),
    "beginning": (1, 5, False),
    "continuation": (0, 5, True),
    "close": (8, 0, True),
    "ping": (9, 125, True),
    "pong": (10, 0, True),
}


class Calls:
    """A timer that was set."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Connection:
    """A transport, its parser and their clock, all played."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, frame_bytes: int = 6, frame: Frame = TEXT
    ) -> None:
        self.now, self.fed, self.reading, self.aborted = 0.0, bytearray(), True, False
        self.largest, self.frame_bytes, self.frame = 0, frame_bytes, frame
        self.timers: list[Calls] = []
        monkeypatch.setattr(trickle, "monotonic", lambda: self.now)
        self.trickle = Trickle(
            self.feed, pause=self.pause, resume=self.resume, abort=self.abort, later=self.later
        )

    def feed(self, piece: bytes) -> None:
        self.fed += piece
        self.largest = max(self.largest, len(piece))
        opcode, size, is_whole = self.frame
        for _ in range(len(piece) // self.frame_bytes):
            self.trickle.count(opcode=opcode, size=size, is_whole=is_whole)

    def pause(self) -> None:
        self.reading = False

    def resume(self) -> None:
        self.reading = True

    def abort(self) -> None:
        self.aborted = True

    def later(self, seconds: float, call: Callable[[], None]) -> Calls:
        self.timers.append(Calls(self.now + seconds, call))
        return self.timers[-1]

    def turn(self) -> bool:
        """Let the clock go to the next timer; false where there is none."""
        waiting = [timer for timer in self.timers if not timer.cancelled]
        self.timers = []
        for timer in waiting:
            self.now = max(self.now, timer.at)
            timer.call()
        return bool(waiting)


@pytest.mark.parametrize("seed", range(20))
def test_everything_arrives_in_order_and_in_pieces(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    drawn = random.Random(seed)
    connection = Connection(monkeypatch, frame_bytes=drawn.choice([6, 250, 4000]))
    sent = bytearray()
    for _ in range(60):
        piece = drawn.randbytes(drawn.choice([1, 6, 300, 5_000, 65_536]))
        choice = drawn.random()
        if choice < 0.1:
            connection.trickle.hold(reading=drawn.random() < 0.5)
        elif choice < 0.2:
            connection.trickle.release()
        elif choice < 0.6:
            connection.turn()
        if connection.reading:
            sent += piece
            connection.trickle.put(piece)
    connection.trickle.release()
    while connection.turn():
        pass
    assert connection.fed == sent
    assert connection.largest <= LARGEST_BYTES
    assert connection.reading


@pytest.mark.parametrize(("frame_bytes", "per_s"), [(6, 6 * FRAMES_PER_S), (9_999, BYTES_PER_S)])
def test_a_flood_is_read_no_faster_than_the_budget(
    monkeypatch: pytest.MonkeyPatch, frame_bytes: int, per_s: int
) -> None:
    connection = Connection(monkeypatch, frame_bytes)
    while connection.now < 60:
        if connection.reading:
            connection.trickle.put(b"x" * 65_536)
        if not connection.turn():
            connection.now += 0.01
    assert len(connection.fed) <= (60 + 2) * per_s * 1.1 + 65_536


@pytest.mark.parametrize("frame", IDLE.values(), ids=list(IDLE))
def test_what_says_nothing_is_read_ten_times_as_slowly_and_little_at_a_time(
    monkeypatch: pytest.MonkeyPatch, frame: Frame
) -> None:
    connection = Connection(monkeypatch, frame_bytes=6, frame=frame)
    while connection.now < 60:
        if connection.reading:
            connection.trickle.put(b"x" * 65_536)
        if not connection.turn():
            connection.now += 0.01
        connection.largest = 0 if connection.now < 1 else connection.largest
    assert len(connection.fed) <= 6 * (60 + 2) * FRAMES_PER_S / IDLE_FRAMES * 1.1 + FIRST_BYTES
    assert connection.largest <= SMALLEST_BYTES


def test_who_labels_as_fast_as_nobody_can_is_never_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(monkeypatch, frame_bytes=300)
    for _ in range(5_000):
        connection.now += 0.002
        connection.trickle.put(b"x" * 300)
        assert connection.reading
        assert not connection.timers


def test_nothing_is_parsed_after_the_good_bye_and_a_flood_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = Connection(monkeypatch)
    connection.trickle.put(b"x" * 50_000)
    fed = len(connection.fed)
    connection.trickle.say_good_bye()
    assert connection.reading
    for _ in range(LINGER_BYTES // 65_536):
        connection.trickle.put(b"x" * 65_536)
        assert not connection.aborted
    connection.trickle.put(b"x")
    assert connection.aborted
    assert not connection.turn()
    assert len(connection.fed) == fed
