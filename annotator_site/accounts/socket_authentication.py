"""Authenticates WebSockets: browsers by session, programs by token."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.http import parse_cookie

from annotator_site.accounts.entrance import Arrival, looking_up, too_many
from annotator_site.accounts.models import User, token_digest
from annotator_site.accounts.newcomers import Newcomers
from annotator_site.door import Door, FullError
from annotator_site.network.refusals import RefusedError, refuse

PLACES: Final = 32
"""Arrivals that share the event loop with labeling at a time; they are looked up together."""
REST_S: Final = 0.1
"""With PLACES, at most 320 arrivals a second, so that labeling keeps most of the event loop."""
PATIENCE_S: Final = 8.0
"""Wait for a place; pages wait ten seconds for the welcome, most programs for the handshake."""
MAX_SOCKETS: Final = 30
"""WebSockets per user and web process, over all campaigns and pages."""


class TokenOrSession:
    """`Authorization: Token …` logs a program in; other clients need an allowed Origin.

    Browsers send cookies whichever page opens the connection, so a session counts only if the
    Origin is a name of this site and equals the Host (another port is another site). Only its
    holder can send a token, so a token needs no Origin. Neither does a plain request that asks
    whether a WebSocket would be opened: pages of other sites cannot read the answer.
    """

    def __init__(self, inner: Any, newcomers: Newcomers) -> None:
        self.inner = inner
        self.newcomers = newcomers
        self.door = Door(places=PLACES, patience_s=PATIENCE_S, rest_s=REST_S)
        self.origins = AllowedHostsOriginValidator(inner)
        self._open: Counter[int] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the connection on, once there is a place for it, with `scope["user"]` set.

        Also sets `scope["session"]`, or `scope["token"]` (its digest) and `scope["token_scopes"]`.
        """
        arrival = Arrival(self.door, send)
        try:
            self._check_origin(scope)
            known = await self._look_up(arrival, dict(scope["headers"]))
            # Tells the security log (`NotedRefusals`) who is refused.
            scope.get("known", {}).update(known)
            with self._counted(scope, known["user"]):
                await self.inner({**scope, **known}, receive, arrival.send)
        except RefusedError as refused:
            await refuse(scope, arrival.send, refused)
        finally:
            arrival.leave()

    def _check_origin(self, scope: Any) -> None:
        headers = dict(scope["headers"])
        if scope["type"] != "websocket" or headers.get(b"authorization"):
            return
        try:
            origin = urlsplit(headers.get(b"origin", b"").decode("latin-1"))
            is_ours = self.origins.valid_origin(origin)
        except ValueError:
            is_ours = False
        host = headers.get(b"host", b"").decode("latin-1")
        if not is_ours or origin.netloc.lower() != host.lower():
            words = "Only a page of this very address may come in by its cookie (Origin)."
            raise RefusedError(403, words)

    async def _look_up(self, arrival: Arrival, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
        """The user, as entries of the scope. Raises RefusedError, at once without credentials."""
        known = _said(headers)
        if known is None:
            raise _stranger()
        try:
            await arrival.enter()
        except FullError as full:
            words = "No place was free: come again a little later."
            raise RefusedError(503, words, retry_after_s=full.retry_after_s) from full
        with looking_up():
            who = await self._who(known)
        if who is None:
            raise _stranger()
        return {**known, **who}

    async def _who(self, known: Mapping[str, Any]) -> dict[str, Any] | None:
        if "token" in known:
            holder = await self.newcomers.of_token(known["token"])
            return {"user": holder.user, "token_scopes": holder.scopes} if holder else None
        user = await self.newcomers.of_session(known["session"].session_key)
        return {"user": user} if user else None

    @contextmanager
    def _counted(self, scope: Any, user: User) -> Iterator[None]:
        """Count this connection while it lasts. Raises RefusedError if the user has too many."""
        if scope["type"] != "websocket":
            yield
            return
        if self._open[user.pk] >= MAX_SOCKETS:
            raise too_many(user, f"{MAX_SOCKETS} connections of one person")
        self._open[user.pk] += 1
        try:
            yield
        finally:
            self._open[user.pk] -= 1
            if not self._open[user.pk]:
                del self._open[user.pk]


def _said(headers: Mapping[bytes, bytes]) -> dict[str, Any] | None:
    """The credentials of a request, as entries of the scope; None without any."""
    if header := headers.get(b"authorization", b"").decode("latin-1"):
        kind, _, text = header.partition(" ")
        is_token = kind.lower() == "token" and text.strip()
        return {"token": token_digest(text.strip())} if is_token else None
    cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    return {"session": SessionStore(key)} if key else None


def _stranger() -> RefusedError:
    return RefusedError(
        401, "Log in first: by a session of this site, or “Authorization: Token …”."
    )
