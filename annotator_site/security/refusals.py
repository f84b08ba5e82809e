"""Logs refused requests and connections, and keeps the current request for other entries."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from annotator_site.network.refusals import CLOSE_CODES
from annotator_site.security.log import NOBODY, Actor, note_stranger

REFUSED: Final = frozenset({401, 403, 429})

Send = Callable[[Any], Awaitable[None]]

asking: ContextVar[HttpRequest | None] = ContextVar("asking", default=None)
"""The request that is being answered; None in a command."""


def actor_of(request: HttpRequest | None) -> Actor:
    """The user of a request, as far as known already, and its address."""
    if request is None:
        return NOBODY
    # Not `request.user`, which would look up the session again if there is none.
    user = getattr(request, "_cached_user", None)
    who = user.get_username() if user is not None and user.is_authenticated else None
    return Actor(who, str(request.META.get("REMOTE_ADDR") or ""))


class SecurityMiddleware:
    """Logs refused pages, and keeps the request in `asking` while it is answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The response, logged if it is a refusal."""
        before = asking.set(request)
        try:
            response = self.get_response(request)
        finally:
            asking.reset(before)
        if (status := response.status_code) in REFUSED:
            actor, method = actor_of(request), request.method
            note_stranger("refused", actor, status=status, method=method, path=request.path)
        return response


class NotedRefusals:
    """An ASGI application whose refusals are logged: images and WebSockets, which bypass Django.

    Authentication adds the user to `scope["known"]`.
    """

    def __init__(self, inner: Any, kind: str) -> None:
        self.inner = inner
        self.kind = kind

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        known: dict[str, Any] = {}
        accepted = False

        # Not a coroutine, whose cost every frame of the labeling path would pay.
        def noting(event: Any) -> Awaitable[None]:
            nonlocal accepted
            if event["type"] != "websocket.send":
                accepted = accepted or event["type"] == "websocket.accept"
                _note(self.kind, scope, known, event, accepted=accepted)
            return send(event)

        await self.inner({**scope, "known": known}, receive, noting)


def _note(kind: str, scope: Any, known: dict[str, Any], event: Any, *, accepted: bool) -> None:
    status = _status(event, accepted=accepted)
    if status not in REFUSED:
        return
    client, user = scope.get("client"), known.get("user")
    actor = Actor(user.get_username() if user else None, str(client[0]) if client else "")
    note_stranger("refused", actor, status=status, kind=kind, path=scope["path"])


def _status(event: Any, *, accepted: bool) -> int | None:
    """The HTTP status that an event stands for; None if it has none."""
    match event["type"]:
        case "http.response.start" | "websocket.http.response.start":
            return int(event["status"])
        case "websocket.close":
            # Servers answer 403 if the connection was not accepted.
            return int(event.get("code") or 0) - CLOSE_CODES if accepted else 403
    return None
