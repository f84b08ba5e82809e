"""Counts request bodies as they arrive, and refuses those beyond the limits.

This is the limit under uvicorn. daphne calls the application only once it has the whole body, so
`with_daphne.py` applies the same limits where the bytes arrive.
"""

import asyncio
from typing import Any

from annotator_site.network.large_forms import limit_at
from annotator_site.network.limits import body_seconds, too_large, too_slow


class _RefusedError(Exception):
    """The body is refused; carries the status and text of the response."""

    def __init__(self, status: int, words: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.words = words


class Bodies:
    """An ASGI application that refuses bodies that are too large (413) or too slow (408)."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, counting its body."""
        length, chunked = _announced(scope["headers"])
        if not length and not chunked:
            await self.inner(scope, receive, send)
            return
        path = scope["path"]
        limit = limit_at(path, _cookies(scope["headers"]))
        if length is None or length > limit:
            await _refuse(send, _RefusedError(413, too_large(path, limit)))
            return
        counted = _Counted(receive, path, limit)
        answering = False

        async def answer(event: Any) -> None:
            nonlocal answering
            answering = True
            await send(event)

        try:
            await self.inner(scope, counted.receive, answer)
        except _RefusedError as refused:
            if answering:
                raise
            await _refuse(send, refused)


class _Counted:
    """Receives a body within its limits."""

    def __init__(self, receive: Any, path: str, limit: int) -> None:
        self._receive = receive
        self._path = path
        self._limit = limit
        self._seconds = body_seconds(limit)
        self._until = asyncio.get_running_loop().time() + self._seconds
        self._bytes = 0
        self._whole = False

    async def receive(self) -> Any:
        """The next event. Raises _RefusedError."""
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                event = await self._receive()
        except TimeoutError:
            raise _RefusedError(408, too_slow(self._seconds)) from None
        self._bytes += len(event.get("body", b""))
        if self._bytes > self._limit:
            raise _RefusedError(413, too_large(self._path, self._limit))
        self._whole = not event.get("more_body", False)
        return event


def _announced(headers: list[tuple[bytes, bytes]]) -> tuple[int | None, bool]:
    """The Content-Length of a request (0: none; None: no number), and whether it is chunked."""
    length: int | None = 0
    chunked = False
    for name, value in headers:
        if name == b"content-length":
            length = int(value) if value.isdigit() and len(value) < 19 else None
        elif name == b"transfer-encoding":
            chunked = True
    return length, chunked


def _cookies(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"; ".join(value for name, value in headers if name == b"cookie")


async def _refuse(send: Any, refused: _RefusedError) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(refused.words)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": refused.words})
