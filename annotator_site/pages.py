"""Django's pages, served a few at a time; a request that waits too long gets a Retry-After.

An ASGI server starts all requests at once, each in its own thread. A thousand people who open a
page would start a thousand threads, which share one interpreter with the labeling path.
"""

import asyncio
from functools import cache
from io import BytesIO
from typing import Any, Final

import orjson
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import translation

from annotator_site.accounts import hashing
from annotator_site.door import Door, FullError
from annotator_site.network.addresses import client_address, network_of

PROBES: Final = ("/healthz", "/readyz")
"""Probes never wait: a crowd of visitors must not get this process restarted."""
STATIC: Final = "/static/"
SLOW: Final = ("/admin/",)
"""Pages that may take long have their own door, so that short pages do not wait for them."""
PROGRAMS: Final = ("/api/",)
"""Programs have their own door, so that people's pages do not wait for them."""
ACCOUNTS: Final = ("/accounts/",)
"""Account pages, which strangers open to log in or to guess: one at a time, with rests."""
PASSWORDS: Final = ("/accounts/", "/admin/login/", "/admin/password_change/")
"""Forms with a password, which is hashed, have their own door, so that no other page waits."""
PATIENCE_S: Final = 30.0
"""Browsers would wait for minutes, people do not."""
PAGE_REST_S: Final = 0.03
PASSWORD_REST_S: Final = 0.1
"""Without rests, fast guessing would keep the interpreter busy, which every step of a label needs.
With these rests it takes a tenth of the interpreter's time, and still more log-ins a second pass
than can be hashed."""
STATIC_PATIENCE_S: Final = 60.0
"""A browser does not retry a refused style or script, and the page would stay broken."""

_BUSY: Final = orjson.dumps(
    {
        "type": "urn:nowait:problem:busy",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Many programs ask at once: come again after Retry-After seconds.",
        "errors": [],
    }
)


class Handler(ASGIHandler):
    """Django's handler, with the whole middleware chain run in one thread.

    Much of the middleware is synchronous. With Django's own handler a page switches between the
    event loop and a thread a dozen times, which is a third of its cost.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the middleware chain as for a threaded server."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Make the whole response in the request's thread.

        `request.event_loop` is for views that hand something to the labeling path.
        """
        request.event_loop = asyncio.get_running_loop()  # type: ignore[attr-defined]
        return await sync_to_async(self.get_response)(request)


class Pages:
    """An ASGI application behind doors.

    A request enters when its whole body has arrived and leaves when the response begins, so that
    a slow network takes no place.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.static = Door(places=2, patience_s=STATIC_PATIENCE_S)
        self.short = Door(places=2, patience_s=PATIENCE_S)
        self.slow = Door(places=4, patience_s=PATIENCE_S)
        self.programs = Door(places=2, patience_s=PATIENCE_S)
        self.accounts = Door(places=1, patience_s=PATIENCE_S, rest_s=PAGE_REST_S)
        # One place more than hashes at a time: the next attempt's account is looked up meanwhile.
        self.passwords = Door(
            places=hashing.AT_ONCE + 1, patience_s=PATIENCE_S, rest_s=PASSWORD_REST_S
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer when there is a place; after the door's patience, with 503 and Retry-After."""
        if scope["path"] in PROBES:
            await self.inner(scope, receive, send)
            return
        door, inside = self._door(scope["method"], scope["path"]), False
        network = network_of(client_address(scope))

        def leave() -> None:
            nonlocal inside
            if inside:
                inside = False
                door.leave()

        async def take() -> Any:
            nonlocal inside
            event = await receive()
            if event["type"] == "http.request" and not event.get("more_body"):
                await door.enter(network)
                inside = True
            return event

        async def answer(event: Any) -> None:
            leave()
            await send(event)

        try:
            await self.inner(scope, take, answer)
        except FullError as full:
            await send_away(scope, send, full.retry_after_s)
        finally:
            leave()

    def _door(self, method: str, path: str) -> Door:
        if path.startswith(STATIC):
            return self.static
        if method == "POST" and path.startswith(PASSWORDS):
            return self.passwords
        if path.startswith(ACCOUNTS):
            return self.accounts
        if path.startswith(PROGRAMS):
            return self.programs
        return self.slow if path.startswith(SLOW) else self.short


async def send_away(scope: Any, send: Any, retry_after_s: int) -> None:
    """Answer 503 with a page that reloads by itself after `retry_after_s` seconds.

    Programs get a problem of the API instead.
    """
    seconds = str(retry_after_s).encode()
    if scope["path"].startswith(PROGRAMS):
        body, kind = _BUSY, b"application/problem+json"
    else:
        body = _words(translation.get_language_from_request(ASGIRequest(scope, BytesIO())))
        kind = b"text/html; charset=utf-8"
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"retry-after", seconds),
        (b"refresh", seconds),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@cache
def _words(language: str) -> bytes:
    with translation.override(language):
        return render_to_string("503.html").encode()
