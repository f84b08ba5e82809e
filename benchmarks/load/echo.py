"""Servers that echo each message: an upper bound for any server on this machine.

`stock` is a Channels consumer as in its documentation; `raw` is a bare ASGI callable.
"""

from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path


class Echo(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """A stock consumer."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Send the message back."""
        await self.send(text_data=text_data, bytes_data=bytes_data)


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """A minimal WebSocket echo."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})


stock = ProtocolTypeRouter({"http": raw, "websocket": URLRouter([path("echo/", Echo.as_asgi())])})
