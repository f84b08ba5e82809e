"""Applies the headers of the proxy in front, and reports what it leaves out.

Behind a misconfigured proxy pages half work: redirects without an end, forms that are "too old",
links to another site's pages. Instead, the browser shows its operator what is wrong.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from annotator_site.network.addresses import client_address
from annotator_site.network.reach import NO_SUB_PATH

log = logging.getLogger(__name__)

SUB_PATH: Final = f"{NO_SUB_PATH}: take the path out of the configuration of the proxy in front."
NO_SCHEME: Final = (
    "This request does not say whether it came by https. If it came through the proxy in front, "
    'let that set X-Forwarded-Proto to "https" or "http" (docs/operators.md has configurations); '
    "if not, ask by the name of the site."
)
NO_HOST: Final = (
    "This request asks for a name that is not in ALLOWED_HOSTS. If it came through the proxy in "
    "front, let that pass Host on as it is (nginx: proxy_set_header Host $http_host;)."
)
NO_PORT: Final = (
    "The proxy in front leaves the port out of the Host header, so what is sent from the pages of "
    "this site looks as if it came from another one. Let it pass Host on as it is (nginx: "
    "proxy_set_header Host $http_host;)."
)
_PREFIXES: Final = (b"x-forwarded-prefix", b"x-script-name")
_USUAL_PORTS: Final = {b"https": b":443", b"http": b":80"}

Headers = Mapping[bytes, bytes]


class Proxied:
    """An ASGI application that sets `scope["client"]` to the visitor instead of the proxy.

    Paths that begin with one of `spared` are served however the proxy is configured: probes, which
    bypass it, and images, which a cache may request.
    """

    def __init__(self, inner: Any, spared: tuple[str, ...]) -> None:
        self.inner = inner
        self.spared = spared
        self._warned = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on, or answer 400 with what is wrong with the proxy."""
        if scope["type"] not in ("http", "websocket"):
            await self.inner(scope, receive, send)
            return
        if not scope["path"].startswith(self.spared):
            if words := fault(scope):
                await _refuse(scope, receive, send, words)
                return
            self._warn_of_no_address(scope)
        await self.inner(_as_seen(scope), receive, send)

    def _warn_of_no_address(self, scope: Any) -> None:
        if self._warned or not settings.BEHIND_PROXY or scope["type"] != "http":
            return
        if all(name != b"x-forwarded-for" for name, _ in scope["headers"]):
            self._warned = True
            log.warning(
                "The proxy in front sets no X-Forwarded-For: all visitors seem to come from its "
                "address, and share the limits of one."
            )


def fault(scope: Any) -> str:
    """What is wrong with the proxy in front, in words for its operator; "" for nothing."""
    headers = dict(scope["headers"])
    if scope.get("root_path") or any(headers.get(name, b"").strip(b" /") for name in _PREFIXES):
        return SUB_PATH
    if not settings.BEHIND_PROXY:
        return ""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    # Not for WebSockets, which programs on this machine open past the proxy, with tokens.
    if scope["type"] == "http":
        if settings.HTTPS and _scheme(headers) not in _USUAL_PORTS:
            return NO_SCHEME
        if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
            return NO_HOST
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return ""
    return NO_PORT if _port_is_left_out(host, headers) else ""


def _scheme(headers: Headers) -> bytes:
    # The first of several, as Django reads it: the value of the outermost proxy.
    return headers.get(b"x-forwarded-proto", b"").partition(b",")[0].strip()


def _port_is_left_out(host: str, headers: Headers) -> bool:
    try:
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1").lower())
        return bool(origin.port) and origin.netloc.rpartition(":")[0] == host
    except ValueError:
        return False


def _as_seen(scope: Any) -> Any:
    """The scope with the visitor's address, and a Host without the default port.

    Browsers leave the default port out of Host and Origin; some proxies add it to Host.
    """
    address = client_address(scope)
    seen = {**scope, "client": [address, 0] if address else None}
    headers = dict(scope["headers"])
    port = _USUAL_PORTS.get(_scheme(headers), b"") if settings.BEHIND_PROXY else b""
    if port and headers.get(b"host", b"").endswith(port):
        seen["headers"] = [
            (name, value.removesuffix(port) if name == b"host" else value)
            for name, value in scope["headers"]
        ]
    return seen


async def _refuse(scope: Any, receive: Any, send: Any, words: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
        return
    body = f"{words}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
