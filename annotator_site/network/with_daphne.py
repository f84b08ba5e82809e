"""The limits where daphne receives bytes: it reads a body whole before it calls the application.

`install` makes daphne build these classes instead of its own, so that the limits apply however a
web process is started.
"""

from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import Any, Final

import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import reactor
from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol

from annotator_site.network.addresses import peer_address
from annotator_site.network.large_forms import limit_at
from annotator_site.network.limits import (
    FORM_BYTES,
    HEADERS_S,
    LINGER_BYTES,
    LINGER_S,
    body_seconds,
    too_large,
    too_slow,
)
from annotator_site.network.strangers import Stranger, strangers
from annotator_site.network.trickle import Trickle
from annotator_site.network.unfinished import unfinished

IN_MEMORY_BYTES: Final = 64 * 1024
"""A longer body is spooled to disk."""
_reactor: Any = reactor
_Untyped: Any = HTTPChannel  # annotates a few of its methods only


def install() -> None:
    """Make daphne use these classes from now on."""
    daphne.server.HTTPFactory = Factory
    daphne.server.WebSocketFactory = SocketFactory
    daphne.server.Server.create_application = _create_application


_create = daphne.server.Server.create_application


def _create_application(server: Any, protocol: Any, scope: Any) -> Any:
    """Announce that the application may answer a handshake over HTTP, which `Socket` implements."""
    if scope["type"] == "websocket":
        scope["extensions"] = {"websocket.http.response": {}}
    return _create(server, protocol, scope)


class Request(WebRequest):  # type: ignore[misc]
    """A request whose body is counted by its channel, and spooled to disk when long."""

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - the base class's name
        """The headers are complete: prepare for a body."""
        self.content = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - by Twisted

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - the base class's name
        """A piece of the body."""
        if self.channel.count(len(data)):
            super().handleContentChunk(data)

    def process(self) -> Any:
        """The request is complete; it may turn its connection into a WebSocket."""
        channel, transport = self.channel, self.transport
        processing = super().process()
        if isinstance(transport.protocol, Socket):
            transport.protocol.stranger = channel.stranger
        return processing


class Channel(_Untyped):  # type: ignore[misc]
    """A connection that carries requests, each with deadlines and a limit on its body."""

    stranger: Stranger
    _address: str

    def __init__(self) -> None:
        super().__init__()
        self._deadline: Any = None
        self._address = ""
        # The path of the request that is being received.
        self._asked = ""
        self._limit = FORM_BYTES
        self._received = 0
        self._in_body = False
        # Bytes that may still be discarded after a refusal; None before it.
        self._lingering: int | None = None

    def connectionMade(self) -> None:  # noqa: N802 - the base class's name
        """Register the connection; it is read once it is admitted."""
        super().connectionMade()
        self._address = peer_address(getattr(self.transport.getPeer(), "host", None))
        stranger = strangers.come(self._address, self.transport.resumeProducing)
        if stranger is None:
            self._abort()
            return
        self.stranger = stranger
        self.transport.pauseProducing()
        unfinished.begin(self, self._address, self._abort)
        self._expect(HEADERS_S)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the base class's name
        """Bytes from the network."""
        if self._lingering is not None:
            self._lingering -= len(data)
            if self._lingering < 0:
                self._abort()
            return
        super().dataReceived(data)
        self._await_request(begun=True)

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802 - the base class's name
        """Bytes of a body, or after a request that is being answered."""
        if self._lingering is None:
            super().rawDataReceived(data)

    def allHeadersReceived(self) -> None:  # noqa: N802 - the base class's name
        """Refuse a body with too large a declared length before asking the client for it."""
        headers = self.requests[-1].requestHeaders
        self._asked = self._path.partition(b"?")[0].decode("latin-1")
        self._limit = limit_at(self._asked, b"; ".join(headers.getRawHeaders(b"Cookie", [])))
        self._received = 0
        if headers.hasHeader(b"Upgrade"):
            self._limit = 0
        if self.length is not None and self.length > self._limit:
            self._refuse(413, too_large(self._asked, self._limit))
            return
        super().allHeadersReceived()
        if self.length != 0:
            self._in_body = True
            self._expect(body_seconds(self._limit))

    def count(self, size: int) -> bool:
        """Count `size` more bytes of the body; False if it is refused."""
        self._received += size
        if self._received > self._limit and self._lingering is None:
            self._refuse(413, too_large(self._asked, self._limit))
        return self._lingering is None

    def allContentReceived(self) -> None:  # noqa: N802 - the base class's name
        """The request is complete."""
        if self._lingering is not None:
            return
        self._in_body = False
        self._expect(None)
        unfinished.done(self)
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:  # noqa: N802 - the base class's name
        """The request is answered; a part of the next one may have arrived already."""
        super().requestDone(request)
        if request.code < HTTPStatus.BAD_REQUEST:
            self.stranger.granted()
        if self.transport is not None and not self._handlingRequest and self.persistent:
            unfinished.begin(self, self._address, self._abort)
            self._await_request(begun=bool(self._buffer))

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - the base class's name
        """The connection is gone."""
        self._expect(None)
        unfinished.done(self)
        super().connectionLost(reason)

    def _await_request(self, *, begun: bool) -> None:
        if begun and self._deadline is None and not self._handlingRequest:
            self._expect(HEADERS_S)

    def _expect(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = _reactor.callLater(seconds, self._too_late)

    def _too_late(self) -> None:
        self._deadline = None
        if self._lingering is not None:
            self._abort()
        else:
            seconds = body_seconds(self._limit) if self._in_body else HEADERS_S
            self._refuse(408, too_slow(seconds))

    def _refuse(self, status: int, words: bytes) -> None:
        """Answer without the application, parse nothing more, and end the connection."""
        self._lingering = LINGER_BYTES
        self._expect(LINGER_S)
        head = (
            b"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        phrase = HTTPStatus(status).phrase.encode()
        self.transport.write(head % (status, phrase, len(words)) + words)
        self.transport.loseWriteConnection()
        for request in self.requests:
            if request.content is not None:
                request.content.close()

    def _abort(self) -> None:
        self.transport.abortConnection()


class Factory(HTTPFactory):  # type: ignore[misc]
    """Builds channels with limits."""

    def __init__(self, server: Any) -> None:
        # Undo `--proxy-headers`, with which daphne trusts the address that a visitor claims, and
        # answers 500 to what it cannot decode. `proxies.py` reads these headers instead.
        server.proxy_forwarded_address_header = None
        super().__init__(server)

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - the base class's name
        """Build the protocol of a new connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol

    @staticmethod
    def protocol() -> Any:
        """The base class calls this to make a protocol."""
        return _GenericHTTPChannelProtocol(Channel())


class Socket(WebSocketProtocol):  # type: ignore[misc]
    """A WebSocket that is read within a budget, and not parsed any more once it is closed."""

    trickle: Trickle
    stranger: Stranger
    _greeted = False
    # The status line and the headers of the response that refuses a handshake.
    _head = b""

    def connectionMade(self) -> None:  # noqa: N802 - the base class's name
        """The handshake follows."""
        super().connectionMade()
        self.trickle = Trickle(
            super().dataReceived,
            pause=self.transport.pauseProducing,
            resume=self.transport.resumeProducing,
            abort=self.transport.abortConnection,
            later=_reactor.callLater,
        )

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the base class's name
        """Bytes from the network: first the handshake, after which further bytes are held."""
        if self._greeted:
            self.trickle.put(data)
            return
        self._greeted = True
        self.trickle.hold(reading=True)
        super().dataReceived(data)

    def onOpen(self) -> None:  # noqa: N802 - the base class's name
        """The handshake is complete."""
        super().onOpen()
        self.stranger.granted()
        self.trickle.release()

    def onFrameBegin(self) -> None:  # noqa: N802 - the base class's name
        """Count a frame of any kind."""
        frame = self.current_frame
        self.trickle.count(opcode=frame.opcode, size=frame.length, is_whole=frame.fin)
        super().onFrameBegin()

    def handle_reply(self, message: Any) -> None:
        """An event of the application; before the acceptance it may be a response over HTTP."""
        if message["type"] == "websocket.http.response.start":
            status = HTTPStatus(message["status"])
            lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
            lines += [b"%s: %s" % header for header in message["headers"]]
            self._head = b"\r\n".join([*lines, b"connection: close", b"", b""])
        elif message["type"] == "websocket.http.response.body":
            self._refuse(self._head + message["body"])
        else:
            super().handle_reply(message)

    def _refuse(self, answer: bytes) -> None:
        """Answer as `serverReject` does, but with our own text, and end the connection."""
        del self.handshake_deferred
        self.server.protocol_disconnected(self)
        self.transport.write(answer)
        self.dropConnection(abort=False)

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 - the base class's name
        """Send the code, then discard input; the library drops a peer that stays after a second."""
        super().serverClose(code)
        if self.state != self.STATE_CLOSED:
            self.trickle.say_good_bye()
            self.transport.loseWriteConnection()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - the base class's name
        """The connection is gone."""
        self.trickle.close()
        super().connectionLost(reason)


class SocketFactory(WebSocketFactory):  # type: ignore[misc]
    """Builds WebSockets with a budget."""

    protocol = Socket
