"""Rate limits for connections that were granted nothing yet, overall and per network.

However many arrive at once, the event loop begins to read one per turn, or one per 3 ms of a long
turn: labeling is served in between, and new connections take a fifth of the process.

Many honest people share the address of an office or a mobile carrier. So a connection costs its
network nothing once it is granted something: an opened WebSocket, a response that is no refusal.
Refused and silent connections use up the tokens of their network, and later ones wait in line.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from django.conf import settings

from annotator_site.network.addresses import THIS_MACHINE, client_address, network_of
from annotator_site.network.limits import ONE_EACH_S, UNGRANTED, UNGRANTED_PER_S, WAITING
from annotator_site.network.refusals import RefusedError, refuse

_MANY: Final = 1_000
"""Networks to remember before those with all their tokens are forgotten."""


class Stranger:
    """A connection that was granted nothing yet."""

    __slots__ = ("_network",)

    def __init__(self, network: "_Network | None" = None) -> None:
        self._network = network

    def granted(self) -> None:
        """The connection got what it asked for: give its token back to its network."""
        network, self._network = self._network, None
        if network is not None:
            network.give_back()


class Strangers:
    """All networks; connections from this machine are not limited.

    A program on this machine needs no flood to stop others, and load generators run here.
    """

    def __init__(
        self, *, most: int = UNGRANTED, per_s: float = UNGRANTED_PER_S, waiting: int = WAITING
    ) -> None:
        self._limits = most, per_s, waiting
        self._networks: dict[str, _Network] = {}
        self._forget_at = _MANY
        self._ready: deque[Callable[[], None]] = deque()
        self._turn_at = 0.0

    def come(self, address: str, go_on: Callable[[], None]) -> Stranger | None:
        """Admit a new connection, which is read once `go_on` is called. None: abort it."""
        name = network_of(address)
        if name in THIS_MACHINE:
            self._admit(go_on)
            return Stranger()
        network = self._networks.get(name)
        if network is None:
            self._forget()
            network = self._networks[name] = _Network(*self._limits, self._admit)
        return Stranger(network) if network.come(go_on) else None

    def _admit(self, go_on: Callable[[], None]) -> None:
        if not self._ready:
            self._next_turn()
        self._ready.append(go_on)

    def _next_turn(self) -> None:
        self._turn_at = monotonic()
        asyncio.get_running_loop().call_soon(self._take_turn)

    def _take_turn(self) -> None:
        places = 1 + int((monotonic() - self._turn_at) / ONE_EACH_S)
        for _ in range(min(places, len(self._ready))):
            self._ready.popleft()()
        if self._ready:
            self._next_turn()

    def _forget(self) -> None:
        if len(self._networks) < self._forget_at:
            return
        now = monotonic()
        owing = {name: each for name, each in self._networks.items() if each.owes(now)}
        self._networks = owing
        self._forget_at = max(_MANY, 2 * len(owing))


class _Network:
    """A token bucket, and the connections that wait for a token."""

    def __init__(
        self, most: int, per_s: float, waiting: int, admit: Callable[[Callable[[], None]], None]
    ) -> None:
        self._most = most
        self._per_s = per_s
        self._may_wait = waiting
        self._admit = admit
        self._tokens = float(most)
        self._at = monotonic()
        self._line: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def come(self, go_on: Callable[[], None]) -> bool:
        self._fill(monotonic())
        if self._tokens >= 1 and not self._line:
            self._tokens -= 1
            self._admit(go_on)
        elif len(self._line) < self._may_wait:
            self._line.append(go_on)
            self._await_token()
        else:
            return False
        return True

    def give_back(self) -> None:
        self._tokens = min(self._tokens + 1, self._most)
        self._serve()

    def owes(self, now: float) -> bool:
        self._fill(now)
        return bool(self._line) or self._tokens < self._most

    def _fill(self, now: float) -> None:
        self._tokens = min(self._tokens + (now - self._at) * self._per_s, self._most)
        self._at = now

    def _serve(self) -> None:
        self._fill(monotonic())
        while self._line and self._tokens >= 1:
            self._tokens -= 1
            self._admit(self._line.popleft())
        if self._line:
            self._await_token()

    def _await_token(self) -> None:
        if self._timer is None:
            wait = max(1 - self._tokens, 0.0) / self._per_s
            self._timer = asyncio.get_running_loop().call_later(wait, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self._serve()


strangers: Final = Strangers()


class Handshakes:
    """An ASGI application that, behind a proxy, admits WebSockets by the network of the visitor.

    Without a proxy their connections are counted when they are opened.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the handshake on at its turn, or answer 429."""
        if not settings.BEHIND_PROXY:
            await self.inner(scope, receive, send)
            return
        turn = asyncio.Event()
        stranger = strangers.come(client_address(scope), turn.set)
        if stranger is None:
            words = (
                "Too many connections from your network were refused: come again a little later."
            )
            await refuse(scope, send, RefusedError(429, words, retry_after_s=5))
            return
        await turn.wait()

        async def answer(event: Any) -> None:
            if event["type"] == "websocket.accept":
                stranger.granted()
            await send(event)

        await self.inner(scope, receive, answer)
