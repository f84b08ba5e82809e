"""The site, which says at /who whose request it is; passwords cost it little."""

from typing import Any

from django.conf import settings

settings.PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

from annotator_site.asgi import application as site  # noqa: E402
from annotator_site.network.proxies import Proxied  # noqa: E402


async def telling(scope: Any, receive: Any, send: Any) -> None:
    """What the site sees is told; everything else is the site's."""
    if scope["path"] != "/who":
        await site.inner.inner(scope, receive, send)
        return
    who = scope["client"][0].encode()
    if scope["type"] == "http":
        length = (b"content-length", str(len(who)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": who})
    else:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": who.decode()})
        await send({"type": "websocket.close"})


application = Proxied(telling, site.inner.spared)
