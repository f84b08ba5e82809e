"""Who opens a WebSocket: a browser by its session, a program by its token."""

import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from channels.security.websocket import AllowedHostsOriginValidator, WebsocketDenier
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.http import parse_cookie
from psycopg_pool import PoolTimeout

from annotator_site.accounts.models import token_digest
from annotator_site.accounts.newcomers import Newcomers
from annotator_site.door import Door, FullError
from annotator_site.labeling.entrance import Arrival, send_away

log = logging.getLogger(__name__)

PLACES: Final = 32
"""So many arrivals share the event loop with those who label; they are looked up together."""
REST_S: Final = 0.1
"""At most 320 come in within a second, so that those who label have the greater part of it."""
PATIENCE_S: Final = 8.0
"""A page waits ten seconds for its welcome, most programs for the handshake."""
AWAY_RETRY_S: Final = 1
"""While the database is away."""


class TokenOrSession:
    """`Authorization: Token …` logs a program in; anybody else needs an allowed Origin.

    A cookie is sent by the browser whichever page asked for the connection, so it counts
    only where the Origin is ours: a name of this site, and the very address that was asked
    (another port of this machine is another site). A token is sent by nobody who does not
    hold it.
    """

    def __init__(self, inner: Any, newcomers: Newcomers) -> None:
        self.inner = inner
        self.newcomers = newcomers
        self.door = Door(places=PLACES, patience_s=PATIENCE_S, rest_s=REST_S)
        self.browser = AllowedHostsOriginValidator(self._let_in)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand the connection on, once there is a place for it, with `scope["user"]` set.

        Beside the user is what they are known by: `scope["session"]`, or `scope["token"]`, its
        hash, and `scope["token_scopes"]`, what it is for.
        """
        headers = dict(scope["headers"])
        if headers.get(b"authorization"):
            await self._let_in(scope, receive, send)
        elif _same_address(headers):
            await self.browser(scope, receive, send)
        else:
            await WebsocketDenier()(scope, receive, send)

    async def _let_in(self, scope: Any, receive: Any, send: Any) -> None:
        arrival = Arrival(self.door, send)
        try:
            await arrival.enter()
            known = await self._who(dict(scope["headers"]))
        except FullError as full:
            await send_away(scope, receive, send, full.retry_after_s)
        except (psycopg.Error, PoolTimeout) as error:
            log.warning("The database is away: %s", " ".join(str(error).split()))
            await send_away(scope, receive, arrival.send, AWAY_RETRY_S)
        else:
            # For the security log, which sees refusals from outside.
            scope.get("known", {}).update(known)
            await self.inner({**scope, **known}, receive, arrival.send)
        finally:
            arrival.leave()

    async def _who(self, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
        header = headers.get(b"authorization", b"").decode("latin-1")
        if header:
            kind, _, text = header.partition(" ")
            digest = token_digest(text.strip())
            holder = await self.newcomers.of_token(digest) if kind.lower() == "token" else None
            if holder is None:
                return {"user": None, "token": digest}
            return {"user": holder.user, "token": digest, "token_scopes": holder.scopes}
        cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
        session = SessionStore(cookies.get(settings.SESSION_COOKIE_NAME))
        user = await self.newcomers.of_session(session.session_key)
        return {"user": user, "session": session}


def _same_address(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the page that asks came from the host and port that it asks."""
    try:
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1"))
    except ValueError:
        return False
    return origin.netloc.lower() == headers.get(b"host", b"").decode("latin-1").lower()
