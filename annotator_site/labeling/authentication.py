"""Who opens a WebSocket: a browser by its session, a program by its token."""

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.security.websocket import AllowedHostsOriginValidator

from annotator_site.accounts.tokens import user_of_token
from annotator_site.off_loop import off_loop


class TokenOrSession:
    """`Authorization: Token …` logs a program in; anybody else needs an allowed Origin.

    A cookie is sent by the browser whichever page asked for the connection, so it counts
    only where the Origin is ours. A token is sent by nobody who does not hold it.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.browser = AllowedHostsOriginValidator(AuthMiddlewareStack(inner))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand the connection on with `scope["user"]` set."""
        header = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        if not header:
            await self.browser(scope, receive, send)
            return
        kind, _, token = header.partition(" ")
        user = None
        if kind.lower() == "token":
            user = await off_loop(user_of_token)(token.strip())
        await self.inner({**scope, "user": user}, receive, send)
