"""Refusals of WebSockets, answered over HTTP before the handshake is accepted.

Browsers hide the answer to a handshake from the page. So a plain request to the same address gets
the same answer.
"""

import json
import logging
from collections import Counter
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

log = logging.getLogger(__name__)

CLOSE_CODES: Final = 4000
"""A WebSocket's close code is this plus the HTTP status with the same meaning."""

_TOLD_EVERY_S: Final = 1.0


class RefusedError(Exception):
    """A WebSocket is not opened: `status` and `words` say why; `name`: the user, if logged in.

    `close_code`: for a refusal that another web process, which may answer the page's plain request,
    would not repeat; for a browser the connection is accepted and closed with this code.
    """

    def __init__(
        self,
        status: int,
        words: str,
        *,
        name: str | None = None,
        retry_after_s: int | None = None,
        close_code: int | None = None,
    ) -> None:
        super().__init__(status, words)
        self.status = HTTPStatus(status)
        self.words = words
        self.name = name
        self.retry_after_s = retry_after_s
        self.close_code = close_code

    def body(self) -> bytes:
        """The response's body, as JSON: `status`, `message` and `name`."""
        said = {"status": self.status.value, "message": self.words, "name": self.name}
        return json.dumps(said).encode()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The response's headers."""
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(self.body())).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if self.retry_after_s is not None:
            headers.append((b"retry-after", str(self.retry_after_s).encode()))
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers.append((b"www-authenticate", b"Token"))
        if self.status == HTTPStatus.UPGRADE_REQUIRED:
            headers.append((b"upgrade", b"websocket"))
        return headers


async def refuse(scope: Any, send: Any, refused: RefusedError) -> None:
    """Answer a handshake, or the plain request of a page, with the refusal."""
    _tell(scope, refused)
    if scope["type"] == "websocket":
        is_browser = not any(name == b"authorization" for name, _ in scope["headers"])
        if refused.close_code is not None and is_browser:
            await _close_at_once(scope, send, refused.close_code)
            return
        kind = "websocket.http.response"
    else:
        kind = "http.response"
    head = {"type": f"{kind}.start", "status": refused.status.value, "headers": refused.headers()}
    await send(head)
    await send({"type": f"{kind}.body", "body": refused.body()})


async def _close_at_once(scope: Any, send: Any, code: int) -> None:
    # A browser drops a connection that accepts none of the subprotocols it offered.
    offered = next(iter(scope.get("subprotocols", [])), None)
    await send({"type": "websocket.accept", "subprotocol": offered})
    await send({"type": "websocket.close", "code": int(code)})


_told_at = -_TOLD_EVERY_S
_untold: Counter[int] = Counter()


def _tell(scope: Any, refused: RefusedError) -> None:
    """Log the refusal, at most one line a second: there may be hundreds."""
    global _told_at
    if scope["type"] != "websocket":
        return
    now = monotonic()
    if now - _told_at < _TOLD_EVERY_S:
        _untold[refused.status] += 1
        return
    _told_at = now
    more = ", ".join(f"{count} × {status}" for status, count in sorted(_untold.items()))
    _untold.clear()
    log.info(
        "Refused a connection to %r: %s %s%s",
        scope["path"], refused.status.value, refused.status.phrase,
        f" (and since the last such line: {more})" if more else "",
    )  # fmt: skip
