"""Django's pages, a few at a time; who would wait too long is told when to come again.

An ASGI server starts every request at once, each in a thread of its own. A thousand people who
open the same page would have a thousand threads, which share one interpreter with those who label.
"""

from functools import cache
from io import BytesIO
from typing import Any, Final

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
"""Never kept waiting: a crowd is no reason to start this process again."""
STATIC: Final = "/static/"
SLOW: Final = ("/admin/",)
"""Pictures are imported there: short pages do not wait for them."""
ACCOUNTS: Final = ("/accounts/",)
"""Where strangers come who want in, and those who guess: one at a time, with rests."""
PASSWORDS: Final = ("/accounts/", "/admin/login/", "/admin/password_change/")
"""What is sent there is hashed, and no other page waits for it."""
PATIENCE_S: Final = 30.0
"""Browsers wait for minutes, people for less."""
PAGE_REST_S: Final = 0.03
PASSWORD_REST_S: Final = 0.1
"""Guesses as fast as they come would keep the interpreter busy, of which each step of a label needs
a turn. With these rests they take a tenth of it, and more log-ins a second than are hashed."""
STATIC_PATIENCE_S: Final = 60.0
"""No browser asks again for a style or a script that was refused: the page would stay broken."""


class Handler(ASGIHandler):
    """Django, which makes a page in one go.

    Of its middleware much is made for threads alone; run by the event loop, as Django does, a page
    goes to its thread and back a dozen times, for a third of its cost.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Chain the middleware as for a server of threads."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """The whole answer, from the request's thread."""
        return await sync_to_async(self.get_response)(request)


class Pages:
    """An ASGI application behind doors.

    A request comes in once all of its body is there, so that nobody's slow network takes a place,
    and its place is free when the answer begins.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.static = Door(places=2, patience_s=STATIC_PATIENCE_S)
        self.short = Door(places=2, patience_s=PATIENCE_S)
        self.slow = Door(places=4, patience_s=PATIENCE_S)
        self.accounts = Door(places=1, patience_s=PATIENCE_S, rest_s=PAGE_REST_S)
        # While all turns at hashing are taken, the next attempt is looked up.
        self.passwords = Door(
            places=hashing.AT_ONCE + 1, patience_s=PATIENCE_S, rest_s=PASSWORD_REST_S
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer when there is a place, or with 503 and Retry-After."""
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
        return self.slow if path.startswith(SLOW) else self.short


async def send_away(scope: Any, send: Any, retry_after_s: int) -> None:
    """Say that there is no place now, in a page that loads again by itself."""
    body = _words(translation.get_language_from_request(ASGIRequest(scope, BytesIO())))
    seconds = str(retry_after_s).encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
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
