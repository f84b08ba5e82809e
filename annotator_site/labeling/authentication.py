"""Who opens a WebSocket: a browser by its session, a program by its token."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier

from annotator_site.accounts.models import token_digest
from annotator_site.accounts.tokens import user_of_token
from annotator_site.off_loop import off_loop

GAP_S: Final = 0.01
LONGEST_S: Final = 5.0


class Door:
    """Lets people in one after the other, 100 in a second, while others label undisturbed.

    An arrival costs this process as much as a dozen labels, most of it in a thread: forty at
    once would keep everybody’s receipts for a quarter of a second.
    """

    def __init__(self) -> None:
        self.free_at = 0.0

    async def wait(self) -> None:
        """Return when it is one's turn, after `LONGEST_S` at the latest."""
        now = time.monotonic()
        self.free_at = max(now, self.free_at + GAP_S)
        if self.free_at > now:
            self.free_at = min(self.free_at, now + LONGEST_S)
            await asyncio.sleep(self.free_at - now)


class TokenOrSession:
    """`Authorization: Token …` logs a program in; anybody else needs an allowed Origin.

    A cookie is sent by the browser whichever page asked for the connection, so it counts
    only where the Origin is ours: a name of this site, and the very address that was asked
    (another port of this machine is another site). A token is sent by nobody who does not
    hold it.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.door = Door()
        self.browser = AllowedHostsOriginValidator(AuthMiddlewareStack(inner))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand the connection on with `scope["user"]` set; of a program, with `scope["token"]`."""
        await self.door.wait()
        headers = dict(scope["headers"])
        header = headers.get(b"authorization", b"").decode("latin-1")
        if not header:
            of_ours = self.browser if _same_address(headers) else WebsocketDenier()
            await of_ours(scope, receive, send)
            return
        kind, _, token = header.partition(" ")
        user = None
        if kind.lower() == "token":
            user = await off_loop(user_of_token)(token.strip())
        known = {"user": user, "token": token_digest(token.strip())}
        await self.inner({**scope, **known}, receive, send)


def _same_address(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the page that asks came from the host and port that it asks."""
    try:
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1"))
    except ValueError:
        return False
    return origin.netloc.lower() == headers.get(b"host", b"").decode("latin-1").lower()
