"""The limits where uvicorn takes bytes in; it hands bodies on as they come, to `Bodies`."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from annotator_site.network.limits import HEADERS_S, LINGER_S, too_slow
from annotator_site.network.trickle import Trickle
from annotator_site.network.unfinished import unfinished

_WORDS = too_slow(HEADERS_S)
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_WORDS) + _WORDS
)


class Http(H11Protocol):
    """A connection over which requests come: the headers of each have their time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Somebody connected."""
        super().connection_made(transport)
        self._watch(begun=True)

    def data_received(self, data: bytes) -> None:
        """Bytes of the network."""
        super().data_received(data)
        self._watch(begun=True)

    def on_response_complete(self) -> None:
        """A request is answered; a part of the next may have come already."""
        super().on_response_complete()
        self._watch(begun=bool(self.conn.trailing_data[0]))

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """It becomes a WebSocket."""
        self._forget()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._forget()
        super().connection_lost(exc)

    def _watch(self, *, begun: bool) -> None:
        """Give a request that has begun its time, until its headers are there."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._forget()
        elif self.transport.get_protocol() is self:
            unfinished.begin(self, self.transport.abort)
            if begun and self._deadline is None:
                self._deadline = self.loop.call_later(HEADERS_S, self._too_late)

    def _forget(self) -> None:
        unfinished.done(self)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._forget()
        self.transport.write(_TOO_SLOW)
        self.transport.close()


class Socket(WebSocketsSansIOProtocol):
    """A WebSocket that is read within a budget, and not at all once it was sent away."""

    def connection_made(self, transport: Any) -> None:
        """The handshake follows."""
        super().connection_made(transport)
        self.trickle = Trickle(
            self._parse,
            pause=self.transport.pause_reading,
            resume=self.transport.resume_reading,
            abort=self.transport.abort,
            later=self.loop.call_later,
        )
        events = self.conn.events_received

        def counted() -> Any:
            came = events()
            self.trickle.frames += len(came)
            return came

        self.conn.events_received = counted  # type: ignore[method-assign]

    def data_received(self, data: bytes) -> None:
        """Bytes of the network."""
        self.trickle.put(data)

    def _parse(self, data: bytes) -> None:
        super().data_received(data)
        # A handshake that the library does not take (a line of 8 KiB, 128 headers): it has its
        # answer ready, which uvicorn neither sends nor follows by an end of the connection.
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """A message: nothing more is parsed until the application has taken it."""
        super().send_receive_event_to_app()
        if self.read_paused:
            self.trickle.hold(reading=False)

    async def receive(self) -> Any:
        """The next event, as the base class says it, but for who reads on: the trickle."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self.trickle.release()
        return message

    async def send(self, message: Any) -> None:
        """What the application says; after a close, nothing more is heard."""
        closing = message["type"] == "websocket.close" and self.handshake_complete
        await super().send(message)
        if closing and not self.transport.is_closing():
            self.trickle.say_good_bye()
            self.transport.write_eof()
            self.loop.call_later(LINGER_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self.trickle.close()
        super().connection_lost(exc)
