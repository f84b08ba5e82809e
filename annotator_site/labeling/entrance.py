"""How a WebSocket comes in through the door, and what is said to one that cannot."""

from collections.abc import Awaitable, Callable
from typing import Any

from annotator_site.door import Door
from annotator_site.labeling.protocol import SUBPROTOCOL, CloseCode

Send = Callable[[Any], Awaitable[None]]


class Arrival:
    """A connection on its way in: it keeps its place at the door until it has been told something.

    Until then it costs the most: somebody is looked up, and welcomed.
    """

    def __init__(self, door: Door, send: Send) -> None:
        self._door = door
        self._send = send
        self._inside = False

    async def enter(self) -> None:
        """Wait for a place. Raises FullError."""
        await self._door.enter()
        self._inside = True

    def leave(self) -> None:
        """Give the place to the next, if it was not given yet."""
        if self._inside:
            self._inside = False
            self._door.leave()

    async def send(self, event: Any) -> None:
        """Send as the server does; what is not an acceptance alone ends the arrival."""
        await self._send(event)
        if self._inside and event["type"] != "websocket.accept":
            self.leave()


async def send_away(scope: Any, receive: Any, send: Send, retry_after_s: int) -> None:
    """Say that there is no place now: by HTTP 503 where the server can, else by a close code."""
    await receive()  # websocket.connect
    if "websocket.http.response" in scope.get("extensions", {}):
        headers = [(b"retry-after", str(retry_after_s).encode()), (b"content-length", b"0")]
        await send({"type": "websocket.http.response.start", "status": 503, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b""})
        return
    # A browser ends a connection of which its subprotocol is not accepted.
    offered = SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", []) else None
    await send({"type": "websocket.accept", "subprotocol": offered})
    await send({"type": "websocket.close", "code": int(CloseCode.TRY_AGAIN_LATER)})
