"""What browsers are told with every answer, whichever part of the site it comes from.

Django's middleware says it of pages. Styles, images, probes and refusals go past that, and get here
what they lack.
"""

from functools import cache
from typing import Any, Final

from csp.utils import build_policy
from django.conf import settings

_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    # Nothing here looks through a camera, listens, or asks where somebody is.
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()",
    ),
)
# What is no page runs nothing when somebody opens it by its address. An SVG may have its colors.
_NO_PAGE: Final = (
    b"default-src 'none'; style-src 'unsafe-inline'; object-src 'none'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'; sandbox"
)


class ResponseHeaders:
    """An ASGI application whose answers by HTTP all say what a browser may do with them."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve, and complete the headers of what is answered."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return

        async def complete(event: Any) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": completed(event.get("headers", ()), scope)}
            await send(event)

        await self.inner(scope, receive, complete)


def completed(headers: Any, scope: Any) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, and those that it lacks; none is changed."""
    said = list(headers)
    has = {bytes(name).lower(): bytes(value) for name, value in said}
    page = has.get(b"content-type", b"").startswith(b"text/html")
    missing = [*_ALWAYS, (b"content-security-policy", _page_policy() if page else _NO_PAGE)]
    if settings.SECURE_HSTS_SECONDS and _came_by_tls(scope):
        missing.append((b"strict-transport-security", _hsts()))
    return [*said, *(each for each in missing if each[0] not in has)]


def _came_by_tls(scope: Any) -> bool:
    """As Django tells it; over plain http a browser would ignore it, and others must not say it."""
    if scope.get("scheme") == "https":
        return True
    believed: Any = getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
    if believed is None:
        return False
    header, secure = believed
    name = header.removeprefix("HTTP_").replace("_", "-").lower().encode()
    value = dict(scope["headers"]).get(name, b"").decode("latin-1")
    return bool(value.partition(",")[0].strip() == secure)


@cache
def _page_policy() -> bytes:
    return str(build_policy()).encode()


def _hsts() -> bytes:
    subdomains = "; includeSubDomains" if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS else ""
    return f"max-age={settings.SECURE_HSTS_SECONDS}{subdomains}".encode()
