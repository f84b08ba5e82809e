"""Feeds a WebSocket's bytes to their parser in small pieces, and within a budget.

One read brings up to 256 KiB: over forty thousand frames of six bytes, which would block all other
connections while they are parsed. So they are parsed in pieces, with other work in between, and a
client that sends more than its budget is read more slowly.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from annotator_site.network.limits import LINGER_BYTES

PIECE_FRAMES: Final = 160
"""Frames in a piece, estimated from the piece before: ten milliseconds at most. Enough that a
client that sends a hundred too many has them refused in a row, and is disconnected."""
IDLE_FRAMES: Final = 10
"""What a frame without a message counts as (pings, pongs, fragments, binary and empty frames): none
is refused, and honest clients send only pongs."""
FIRST_BYTES: Final = 1024
"""Size of the first piece: a hundred and seventy of the smallest frames."""
SMALLEST_BYTES, LARGEST_BYTES = 96, 32 * 1024
"""Sizes of the other pieces."""
FRAMES_PER_S: Final = 1_000
BYTES_PER_S: Final = 512 * 1024
"""The budget: far more than a campaign lets one person send; twice as much in a burst."""
HELD_BYTES: Final = 64 * 1024
SHORTEST_WAIT_S: Final = 0.001
_TEXT: Final = 1


class Trickle:
    """Feeds a parser with the bytes of a transport.

    `feed` takes bytes; `pause` and `resume` stop and start the transport's reading, `abort` ends
    it; `later` calls a function after some seconds and returns an object with `cancel()`. The
    parser's protocol calls `count` for each frame.
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
        # Bytes that may still be discarded after the good-bye; None before it.
        self._lingering: int | None = None
        self._piece = FIRST_BYTES
        self._frames_left = 2.0 * FRAMES_PER_S
        self._bytes_left = 2.0 * BYTES_PER_S
        self._at = monotonic()

    def put(self, data: bytes) -> None:
        """Take bytes from the network."""
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
        """Count a frame that was parsed, or its header, which announces `size` bytes."""
        says_something = opcode == _TEXT and size and is_whole
        self._frames += 1 if says_something else IDLE_FRAMES

    def hold(self, *, reading: bool) -> None:
        """Feed nothing until `release`; `reading`: still read a little, to notice a disconnect."""
        self._held = True
        if not reading:
            self._stop_reading()

    def release(self) -> None:
        """Continue feeding."""
        self._held = False
        if self._timer is None and self._lingering is None:
            self._go_on()

    def say_good_bye(self) -> None:
        """Discard what comes from now on; the connection is ended soon."""
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
        """Charge the budget for what was fed; returns seconds until it is no longer overdrawn."""
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
