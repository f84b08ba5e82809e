"""The limits where daphne takes bytes in: it keeps a body whole before it asks the application.

`install` makes daphne build these classes instead of its own, so that a web process has the limits
however it is started.
"""

from tempfile import SpooledTemporaryFile
from typing import Any, Final

import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet import reactor
from twisted.web.http import HTTPChannel, _GenericHTTPChannelProtocol

from annotator_site.network.limits import (
    FORM_BYTES,
    HEADERS_S,
    LINGER_BYTES,
    LINGER_S,
    body_limit,
    body_seconds,
    too_large,
    too_slow,
)
from annotator_site.network.trickle import Trickle
from annotator_site.network.unfinished import unfinished

IN_MEMORY_BYTES: Final = 64 * 1024
"""What a body takes of the memory; the rest of one that may be longer is on the disk."""
_REASONS: Final = {408: b"Request Timeout", 413: b"Content Too Large"}
_reactor: Any = reactor
_Untyped: Any = HTTPChannel  # its annotations are of a few methods only


def install() -> None:
    """Have daphne use these from now on."""
    daphne.server.HTTPFactory = Factory
    daphne.server.WebSocketFactory = SocketFactory


class Request(WebRequest):  # type: ignore[misc]
    """A request whose body is counted by its channel, and in memory while it is short."""

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - the base class's name
        """The headers are there."""
        self.content = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - by Twisted

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - the base class's name
        """A piece of the body."""
        if self.channel.count(len(data)):
            super().handleContentChunk(data)


class Channel(_Untyped):  # type: ignore[misc]
    """A connection over which requests come: each has its time, and its body a limit."""

    def __init__(self) -> None:
        super().__init__()
        self._deadline: Any = None
        self._limit = FORM_BYTES
        self._received = 0
        self._in_body = False
        # Bytes that are still taken unread of a connection that was refused.
        self._lingering: int | None = None

    def connectionMade(self) -> None:  # noqa: N802 - the base class's name
        """Somebody connected."""
        super().connectionMade()
        unfinished.begin(self, self._abort)
        self._expect(HEADERS_S)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - the base class's name
        """Bytes of the network."""
        if self._lingering is not None:
            self._lingering -= len(data)
            if self._lingering < 0:
                self._abort()
            return
        super().dataReceived(data)
        self._await_request(begun=True)

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802 - the base class's name
        """A body, or what comes after a request that is being answered."""
        if self._lingering is None:
            super().rawDataReceived(data)

    def allHeadersReceived(self) -> None:  # noqa: N802 - the base class's name
        """Refuse a body that says that it is too long before it is asked for."""
        path = self._path.partition(b"?")[0].decode("latin-1")
        self._limit, self._received = body_limit(path), 0
        if self.requests[-1].requestHeaders.hasHeader(b"Upgrade"):
            self._limit = 0
        if self.length is not None and self.length > self._limit:
            self._refuse(413, too_large(self._limit))
            return
        super().allHeadersReceived()
        if self.length != 0:
            self._in_body = True
            self._expect(body_seconds(self._limit))

    def count(self, size: int) -> bool:
        """Whether so many bytes more of the body are within its limit."""
        self._received += size
        if self._received > self._limit and self._lingering is None:
            self._refuse(413, too_large(self._limit))
        return self._lingering is None

    def allContentReceived(self) -> None:  # noqa: N802 - the base class's name
        """The request is whole."""
        if self._lingering is not None:
            return
        self._in_body = False
        self._expect(None)
        unfinished.done(self)
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:  # noqa: N802 - the base class's name
        """It is answered; a part of the next may have come already."""
        super().requestDone(request)
        if self.transport is not None and not self._handlingRequest and self.persistent:
            unfinished.begin(self, self._abort)
            self._await_request(begun=bool(self._buffer))

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - the base class's name
        """It is gone."""
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
        """Answer without the application, read no more, and end the connection."""
        self._lingering = LINGER_BYTES
        self._expect(LINGER_S)
        head = (
            b"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: %d\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head % (status, _REASONS[status], len(words)) + words)
        self.transport.loseWriteConnection()
        for request in self.requests:
            if request.content is not None:
                request.content.close()

    def _abort(self) -> None:
        self.transport.abortConnection()


class Factory(HTTPFactory):  # type: ignore[misc]
    """Builds channels with limits."""

    def __init__(self, server: Any) -> None:
        # `--proxy-headers`, where somebody gives it: daphne takes the visitor's own word for their
        # address, and ends with 500 what it cannot decode. `proxies.py` reads these headers.
        server.proxy_forwarded_address_header = None
        super().__init__(server)

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - the base class's name
        """A new connection's."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol

    @staticmethod
    def protocol() -> Any:
        """What the base class calls for a protocol."""
        return _GenericHTTPChannelProtocol(Channel())


class Socket(WebSocketProtocol):  # type: ignore[misc]
    """A WebSocket that is read within a budget, and not at all once it was sent away."""

    trickle: Trickle
    _greeted = False

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
        """Bytes of the network; the first are the handshake, after which it is held."""
        if self._greeted:
            self.trickle.put(data)
            return
        self._greeted = True
        self.trickle.hold(reading=True)
        super().dataReceived(data)

    def onOpen(self) -> None:  # noqa: N802 - the base class's name
        """The handshake is over."""
        super().onOpen()
        self.trickle.release()

    def onFrameBegin(self) -> None:  # noqa: N802 - the base class's name
        """A frame of any kind."""
        self.trickle.frames += 1
        super().onFrameBegin()

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802 - the base class's name
        """Say why, and no more: the library ends what the peer does not end within a second."""
        super().serverClose(code)
        if self.state != self.STATE_CLOSED:
            self.trickle.say_good_bye()
            self.transport.loseWriteConnection()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 - the base class's name
        """It is gone."""
        self.trickle.close()
        super().connectionLost(reason)


class SocketFactory(WebSocketFactory):  # type: ignore[misc]
    """Builds WebSockets with a budget."""

    protocol = Socket
