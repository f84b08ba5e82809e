"""A WebSocket's bytes come to their parser a little at a time, and within a budget.

One read brings up to a quarter of a megabyte: ten thousand frames of six bytes, which hold up
everybody else for as long as it takes to parse them all. So they are parsed in pieces, between
which others have their turn, and who sends more than anybody can mean is read more slowly.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from annotator_site.network.limits import LINGER_BYTES

PIECE_FRAMES: Final = 160
"""About so many of them at a time, going by the piece before: ten milliseconds at most. Enough that
who sends a hundred too many has them refused in a row, and is sent away."""
IDLE_FRAMES: Final = 10
"""What says nothing (pings, pongs, fragments, binary and empty frames) counts as so many: it is not
refused, and clients send none but answers to our pings."""
FIRST_BYTES: Final = 1024
"""Of the first piece: a hundred and seventy of the smallest frames."""
SMALLEST_BYTES, LARGEST_BYTES = 96, 32 * 1024
"""Of the others."""
FRAMES_PER_S: Final = 1_000
BYTES_PER_S: Final = 512 * 1024
"""Far more than a campaign lets one person send; twice as much in a burst."""
HELD_BYTES: Final = 64 * 1024
SHORTEST_WAIT_S: Final = 0.001
_TEXT: Final = 1


class Trickle:
    """Between a transport and a parser.

    `feed` takes bytes; `pause` and `resume` stop and start the transport's reading, `abort` ends
    it; `later` calls after so many seconds and returns something with `cancel()`. Whoever parses
    tells by `count` of each frame.
    """

    def __init__(
        self,
        feed: Callable[[bytes], None],
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
        abort: Callable[[], None],
        later: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        self._frames = 0
        self._feed = feed
        self._pause = pause
        self._resume = resume
        self._abort = abort
        self._later = later
        self._backlog = bytearray()
        self._held = False
        self._paused = False
        self._timer: Any = None
        # Bytes that are still taken unread of a connection that was told good-bye.
        self._lingering: int | None = None
        self._piece = FIRST_BYTES
        self._frames_left = 2.0 * FRAMES_PER_S
        self._bytes_left = 2.0 * BYTES_PER_S
        self._at = monotonic()

    def put(self, data: bytes) -> None:
        """Bytes of the network."""
        if self._lingering is not None:
            self._lingering -= len(data)
            if self._lingering < 0:
                self._abort()
            return
        if self._held or self._timer is not None:
            self._backlog += data
            if self._timer is not None or len(self._backlog) > HELD_BYTES:
                self._stop_reading()
            return
        if len(data) <= self._piece:
            self._take(data)
        else:
            self._backlog += data
            self._go_on()

    def count(self, *, opcode: int, size: int, is_whole: bool) -> None:
        """A frame was parsed, or its head, with so many bytes to come."""
        says_something = opcode == _TEXT and size and is_whole
        self._frames += 1 if says_something else IDLE_FRAMES

    def hold(self, *, reading: bool) -> None:
        """Feed nothing until `release`; `reading`: take in a little, to learn that a peer left."""
        self._held = True
        if not reading:
            self._stop_reading()

    def release(self) -> None:
        """Feed on."""
        self._held = False
        if self._timer is None and self._lingering is None:
            self._go_on()

    def say_good_bye(self) -> None:
        """Parse nothing more, whatever comes; soon the connection is ended."""
        self._lingering = LINGER_BYTES
        self.close()
        self._read_on()

    def close(self) -> None:
        """The connection is gone."""
        self._backlog.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        self._timer = None
        if self._held:
            return
        piece = bytes(self._backlog[: self._piece])
        del self._backlog[: self._piece]
        self._take(piece)

    def _take(self, piece: bytes) -> None:
        if piece:
            self._feed(piece)
            usual = PIECE_FRAMES * len(piece) // max(self._frames, 1)
            self._piece = min(max(usual, SMALLEST_BYTES), LARGEST_BYTES)
        wait = self._charge(len(piece))
        if self._lingering is not None:
            return
        if wait or self._backlog:
            self._stop_reading()
            self._timer = self._later(wait, self._go_on)
        else:
            self._read_on()

    def _charge(self, size: int) -> float:
        """Pay for what was fed; returns the seconds until the budget is there again."""
        now = monotonic()
        passed, self._at = now - self._at, now
        frames = min(self._frames_left + passed * FRAMES_PER_S, 2.0 * FRAMES_PER_S) - self._frames
        octets = min(self._bytes_left + passed * BYTES_PER_S, 2.0 * BYTES_PER_S) - size
        self._frames, self._frames_left, self._bytes_left = 0, frames, octets
        owed = max(-frames / FRAMES_PER_S, -octets / BYTES_PER_S)
        return max(owed, SHORTEST_WAIT_S) if owed > 0 else 0.0

    def _stop_reading(self) -> None:
        if not self._paused:
            self._paused = True
            self._pause()

    def _read_on(self) -> None:
        if self._paused:
            self._paused = False
            self._resume()
