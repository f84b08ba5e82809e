"""The limits where uvicorn receives bytes; `Bodies` limits bodies, which uvicorn passes on."""

import asyncio
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from annotator_site.network.addresses import peer_address
from annotator_site.network.limits import HEADERS_S, LINGER_S, too_slow
from annotator_site.network.strangers import Stranger, strangers
from annotator_site.network.trickle import Trickle
from annotator_site.network.unfinished import unfinished

_WORDS = too_slow(HEADERS_S)
_TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_WORDS) + _WORDS
)


class Http(H11Protocol):
    """A connection that carries requests, with a deadline for the headers of each."""

    _deadline: asyncio.TimerHandle | None = None
    _stranger: Stranger | None = None

    def connection_made(self, transport: Any) -> None:
        """Register the connection; it is read once it is admitted."""
        super().connection_made(transport)
        self._inner = self.app
        self._address = peer_address(self.client[0] if self.client else None)
        self._stranger = strangers.come(self._address, self._go_on)
        if self._stranger is None:
            transport.abort()
            return
        transport.pause_reading()
        self.app = self._answer
        self._watch(begun=True)

    def data_received(self, data: bytes) -> None:
        """Bytes from the network."""
        super().data_received(data)
        self._watch(begun=True)

    def on_response_complete(self) -> None:
        """The request is answered; a part of the next one may have arrived already."""
        super().on_response_complete()
        self._watch(begun=bool(self.conn.trailing_data[0]))

    def _go_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the application; a response that is no refusal grants the connection."""

        async def notice(event: Any) -> None:
            if event["type"] == "http.response.start" and event["status"] < HTTPStatus.BAD_REQUEST:
                self._grant()
            await send(event)

        await self._inner(scope, receive, notice)

    def _grant(self) -> None:
        if self._stranger is not None:
            self._stranger.granted()
        self.app = self._inner  # once is enough

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """The connection becomes a WebSocket."""
        self._forget()
        self.app = self._inner
        super().handle_websocket_upgrade(event)
        socket = self.transport.get_protocol()
        if isinstance(socket, Socket):
            socket.stranger = self._stranger

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._forget()
        self.app = self._inner
        super().connection_lost(exc)

    def _watch(self, *, begun: bool) -> None:
        """Set the deadline of a request that has begun; clear it once its headers are complete."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._forget()
        elif self.transport.get_protocol() is self:
            unfinished.begin(self, self._address, self.transport.abort)
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
    """A WebSocket that is read within a budget, and not parsed any more once it is closed."""

    stranger: Stranger | None = None
    _greeted = False

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
            for frame in came:
                if isinstance(frame, Frame):
                    size = len(frame.data)
                    self.trickle.count(opcode=frame.opcode, size=size, is_whole=frame.fin)
            return came

        self.conn.events_received = counted  # type: ignore[method-assign]

    def data_received(self, data: bytes) -> None:
        """Bytes from the network: first the handshake, after which further bytes are held."""
        if self._greeted:
            self.trickle.put(data)
            return
        self._greeted = True
        self.trickle.hold(reading=True)
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        super().data_received(data)
        # The library refused the handshake (a line of 8 KiB, 128 headers) and has its answer ready;
        # uvicorn neither sends that nor ends the connection.
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def send_receive_event_to_app(self) -> None:
        """Pass a message on; nothing more is parsed until the application has taken it."""
        super().send_receive_event_to_app()
        if self.read_paused:
            self.trickle.hold(reading=False)

    async def receive(self) -> Any:
        """The next event, as in the base class, except that the trickle resumes reading."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            self.trickle.release()
        return message

    async def send(self, message: Any) -> None:
        """Send an event of the application; after a close, discard input."""
        closing = message["type"] == "websocket.close" and self.handshake_complete
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # refused; else the base class logs an error
        if message["type"] == "websocket.accept":
            self.trickle.release()
            if self.stranger is not None:
                self.stranger.granted()
        if closing and not self.transport.is_closing():
            self.trickle.say_good_bye()
            self.transport.write_eof()
            self.loop.call_later(LINGER_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.trickle.close()
        super().connection_lost(exc)
