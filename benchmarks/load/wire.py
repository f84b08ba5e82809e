"""The client's end of a WebSocket and of an HTTP connection, as cheap as Python allows.

The load generator shares the machine with the server it measures, so each microsecond that it
spends is taken from the server. It speaks only to our own servers: no extensions, no fragments, and
a mask of zeros, which servers apply like any other mask.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Final

_MASKED_TEXT: Final = b"\x81"
_NO_MASK: Final = b"\x00\x00\x00\x00"
_TEXT, _CLOSE, _PING = 1, 8, 9


class RefusedError(Exception):
    """The server refused the connection; the message is its answer.

    `retry_after`: the value of its Retry-After header in seconds, if there is one.
    """

    def __init__(self, status: str, retry_after: float | None = None) -> None:
        super().__init__(status)
        self.retry_after = retry_after


def refusal(head: bytes) -> RefusedError:
    """The error for a refusal with this response head."""
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
    after = headers.get("retry-after")
    return RefusedError(status, None if after is None else float(after))


class Socket(asyncio.Protocol):
    """One WebSocket. `on_text` is called with each message, `on_close` once with a close code."""

    def __init__(
        self,
        request: bytes,
        on_text: Callable[[bytes], None],
        on_close: Callable[[int | None], None],
    ) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_text = on_text
        self.on_close = on_close
        self._request = request
        self._buffer = b""
        self._code: int | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the handshake."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def send(self, text: bytes) -> None:
        """Send one text message of up to 65,535 bytes."""
        size = len(text)
        if size < 126:
            head = _MASKED_TEXT + bytes((0x80 | size,))
        else:
            head = _MASKED_TEXT + b"\xfe" + size.to_bytes(2, "big")
        self._transport.write(head + _NO_MASK + text)

    def close(self) -> None:
        """Send a close frame (1000) and close the connection."""
        self._transport.write(b"\x88\x82" + _NO_MASK + (1000).to_bytes(2, "big"))
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Parse the answer to the handshake, then frames."""
        if self._buffer:
            data = self._buffer + data
        at = 0
        if not self.opened.done():
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._buffer = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(refusal(data[:end]))
                self._transport.close()
                return
            at = end + 4
            self.opened.set_result(None)
        size = len(data)
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if size < start + length:
                break
            kind, at = data[at] & 0x0F, start + length
            if kind == _TEXT:
                self.on_text(data[start:at])
            elif kind == _PING:
                self._transport.write(bytes((0x8A, 0x80 | length)) + _NO_MASK + data[start:at])
            elif kind == _CLOSE:
                self._code = int.from_bytes(data[start : start + 2], "big") if length else None
                self._transport.close()
        self._buffer = data[at:]

    def connection_lost(self, _error: Exception | None) -> None:
        """Fail a pending handshake and call `on_close`."""
        if not self.opened.done():
            self.opened.set_exception(RefusedError("no answer"))
        self.on_close(self._code)


async def open_socket(
    host: str,
    port: int,
    path: str,
    *,
    token: str | None,
    cookie: str | None = None,
    on_text: Callable[[bytes], None],
    on_close: Callable[[int | None], None],
) -> Socket:
    """Open a WebSocket. Raises RefusedError if the server refuses it, and OSError."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Origin: http://{host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: nowait.v1",
        *([f"Authorization: Token {token}"] if token else []),
        *([f"Cookie: {cookie}"] if cookie else []),
    ]
    request = "\r\n".join([*lines, "", ""]).encode()
    loop = asyncio.get_running_loop()
    _, socket = await loop.create_connection(lambda: Socket(request, on_text, on_close), host, port)
    await socket.opened
    return socket


async def fetch_page(host: str, port: int, path: str, *, cookie: str) -> bytes:
    """Fetch a page over a new connection. Raises RefusedError for other than 200, and OSError."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", f"Cookie: {cookie}"]
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        head, end, body = (await reader.read()).partition(b"\r\n\r\n")
        if not end:
            raise RefusedError("no answer")
        if not head.startswith(b"HTTP/1.1 200"):
            raise refusal(head)
        return body
    finally:
        writer.close()


class Fetcher(asyncio.Protocol):
    """A keep-alive HTTP connection that fetches one file after another, as a browser does."""

    def __init__(self, host: str, on_body: Callable[[bool], None]) -> None:
        self.host = host
        self.on_body = on_body
        self._waiting: list[str] = []
        self._busy = False
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for requests."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def fetch(self, path: str) -> None:
        """Queue a request for `path`; `on_body` is called with whether the answer was a 200."""
        self._waiting.append(path)
        self._next()

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _next(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        path = self._waiting.pop(0)
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Parse an answer, which must have a Content-Length, and send the next request."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        size = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._buffer) < end + 4 + size:
            return
        self._buffer = self._buffer[end + 4 + size :]
        self._busy = False
        self.on_body(head.startswith(b"http/1.1 200"))
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        """Report a pending request as failed."""
        if self._busy:
            self.on_body(False)
