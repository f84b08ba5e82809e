"""Security headers of every response, whichever part of the site it comes from.

Django's middleware sets them on pages. Styles, images, probes and refusals bypass Django and get
the missing headers here.
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
    # The site uses no camera, microphone or location.
    (
        b"permissions-policy",
        b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()",
    ),
)
# A file that is no page runs no script when its address is opened. An SVG may use inline styles.
_NO_PAGE: Final = (
    b"default-src 'none'; style-src 'unsafe-inline'; object-src 'none'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'; sandbox"
)


class ResponseHeaders:
    """An ASGI application that adds the missing security headers to all HTTP responses."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the inner application, and complete the headers of its response."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return

        async def complete(event: Any) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": completed(event.get("headers", ()), scope)}
            await send(event)

        await self.inner(scope, receive, complete)


def completed(headers: Any, scope: Any) -> list[tuple[bytes, bytes]]:
    """The headers of a response, unchanged, followed by the security headers that it lacks."""
    said = list(headers)
    has = {bytes(name).lower(): bytes(value) for name, value in said}
    page = has.get(b"content-type", b"").startswith(b"text/html")
    missing = [*_ALWAYS, (b"content-security-policy", _page_policy() if page else _NO_PAGE)]
    if settings.SECURE_HSTS_SECONDS and _came_by_tls(scope):
        missing.append((b"strict-transport-security", _hsts()))
    return [*said, *(each for each in missing if each[0] not in has)]


def _came_by_tls(scope: Any) -> bool:
    """Whether the request came over TLS, by Django's rule: only then may a response set HSTS."""
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
