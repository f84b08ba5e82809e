"""Closes open WebSockets when their log-in or their right to the campaign ends.

Sessions end in many ways: a log-out, a new password, `clearsessions`, expiry. None of them has to
notify: once a second each web process asks the database about all its connections together.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import md5
from itertools import count
from typing import Any, Final

import psycopg
from django.conf import settings

from al_engine.pools import signals
from al_engine.pools.query import Connection
from al_engine.pools.sql import integers
from annotator_site.accounts.models import Scope
from annotator_site.accounts.staff_sessions import (
    NOTE_USE,
    SEEN_STEP,
    staff_limits,
    staff_session_holds,
)
from annotator_site.background import background
from annotator_site.network.close_codes import CloseCode

log = logging.getLogger(__name__)

TICK_SECONDS: Final = 1.0

_NOTE_TICKS: Final = round(SEEN_STEP.total_seconds() / TICK_SECONDS)
_OPTIONS: Final = (
    "-c synchronous_commit=off -c statement_timeout=5s"
    # Force index scans: a few rows per connection, however large the session table is.
    " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off"
)

# Selects the passes that no longer hold. A session holds while its row exists, the password is the
# same and, for staff, it is in use; a token until it expires, within its scopes. Watching needs the
# right to see the campaign in the admin (campaign_rights.py). 10,000 connections take 60 ms.
_LOST: Final = f"""
SELECT given.place - 1, u.id IS NOT NULL AND (s.session_key IS NOT NULL OR t.id IS NOT NULL)
FROM unnest(%(users)s::bigint[], %(sessions)s::text[], %(passwords)s::text[], %(tokens)s::text[],
            %(annotators)s::bigint[], %(campaigns)s::bigint[], %(pictures)s::boolean[])
     WITH ORDINALITY
     AS given(user_id, session, password, token, annotator_id, campaign_id, pictures, place)
LEFT JOIN accounts_user u ON u.id = given.user_id AND u.is_active
LEFT JOIN django_session s ON s.session_key = given.session AND s.expire_date > clock_timestamp()
    AND given.password = md5(u.password)
    AND CASE WHEN u.is_staff THEN {staff_session_holds("given.session")} ELSE true END
LEFT JOIN accounts_token t ON t.digest = given.token AND t.user_id = u.id
    AND (t.expires_at IS NULL OR t.expires_at > clock_timestamp())
LEFT JOIN pools_annotator a ON a.id = given.annotator_id AND a.user_id = u.id AND a.active
LEFT JOIN LATERAL (
    SELECT bool_or(p.codename IN ('view_campaign', 'change_campaign')) AS campaigns,
           bool_or(p.codename IN ('view_image', 'change_image')) AS images,
           bool_or(p.codename = 'all_campaigns') AS everywhere
    FROM auth_permission p
    JOIN django_content_type type ON type.id = p.content_type_id AND type.app_label = 'pools'
    WHERE given.annotator_id IS NULL AND p.codename IN
            ('view_campaign', 'change_campaign', 'view_image', 'change_image', 'all_campaigns')
      AND (EXISTS (SELECT 1 FROM accounts_user_user_permissions own
                   WHERE own.user_id = u.id AND own.permission_id = p.id)
           OR EXISTS (SELECT 1 FROM accounts_user_groups member
                      JOIN auth_group_permissions granted USING (group_id)
                      WHERE member.user_id = u.id AND granted.permission_id = p.id))) held ON true
WHERE u.id IS NULL OR (s.session_key IS NULL AND t.id IS NULL) OR NOT CASE
    WHEN given.annotator_id IS NOT NULL
    THEN a.id IS NOT NULL AND (t.id IS NULL OR '{Scope.LABEL.value}' = ANY(t.scopes))
    WHEN t.id IS NOT NULL AND '{Scope.WATCH.value}' <> ALL(t.scopes) THEN false
    -- A program has no second factor: who made its token had.
    WHEN %(second_factor)s AND t.id IS NULL AND NOT EXISTS (
        SELECT 1 FROM mfa_authenticator f WHERE f.user_id = u.id AND f.type = 'totp') THEN false
    ELSE u.is_staff AND (u.is_superuser OR
        (coalesce(held.campaigns, false) AND (coalesce(held.images, false) OR NOT given.pictures)
         AND (held.everywhere OR EXISTS (
             SELECT 1 FROM pools_campaign_owners owner
             WHERE owner.campaign_id = given.campaign_id AND owner.user_id = u.id)))) END
"""  # noqa: S608 - written here


@dataclass(frozen=True, slots=True)
class Pass:
    """What entitles a connection: a log-in and a right.

    The log-in is either a session key, with the MD5 of the stored password hash, or a token's
    digest. The right is either to label as `annotator_id`, or to watch `campaign_id`, with or
    without its pictures. Sessions of staff also end when idle.
    """

    user_id: int
    session: str | None
    password: str | None
    token: str | None
    annotator_id: int | None
    staff: bool
    campaign_id: int | None = None
    pictures: bool = False


def pass_of(
    scope: Mapping[str, Any],
    *,
    annotator_id: int | None = None,
    campaign_id: int | None = None,
) -> Pass:
    """The pass of the connection of this scope, once its user is known."""
    user, token = scope["user"], scope.get("token")
    session = password = None
    if token is None:
        session = scope["session"].session_key
        # Only compared for equality with the current hash.
        password = md5(user.password.encode(), usedforsecurity=False).hexdigest()
    return Pass(user.pk, session, password, token, annotator_id, user.is_staff, campaign_id)


class Guard:
    """Watches all connections of one event loop."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[Pass, Callable[[int], None]]] = {}
        self._entered = 0
        self._conn: Connection | None = None
        self._connecting = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, held: Pass, close: Callable[[int], None]) -> Iterator[None]:
        """Call `close` once, with a close code, when the pass no longer holds."""
        self._entered += 1
        number = self._entered
        self._open[number] = held, close
        if self._task is None:
            self._task = background.start("log-ins", self._run)
        try:
            yield
        finally:
            self._open.pop(number, None)

    async def refusal(self, held: Pass) -> int | None:
        """The close code for a pass that does not hold; None for one that does.

        Raises psycopg.Error or OSError while the database is away.
        """
        return (await self._lost([held])).get(0)

    async def _run(self) -> None:
        """Check forever; while the database is away, no connection is closed."""
        for tick in count(1):
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self._ask()
                if tick % _NOTE_TICKS == 0:
                    await self._note_use()
            except (psycopg.Error, OSError) as error:
                log.warning("Log-ins are not checked now: %s", " ".join(str(error).split()))

    async def _ask(self) -> None:
        asked = list(self._open.items())
        if not asked:
            return
        lost = await self._lost([held for _, (held, _) in asked])
        for place, code in lost.items():
            number, (_, close) = asked[place]
            # The connection may have ended meanwhile.
            if self._open.pop(number, None) is not None:
                close(code)

    async def _note_use(self) -> None:
        """Mark sessions of staff with an open WebSocket as used, as they request no pages."""
        held = {each.session for each, _ in self._open.values() if each.staff and each.session}
        if held:
            await (await self._connection()).execute(NOTE_USE, [list(held)])

    async def _connection(self) -> Connection:
        async with self._connecting:
            if self._conn is None or self._conn.closed:
                self._conn = await psycopg.AsyncConnection.connect(
                    **signals.connection_info(_OPTIONS), autocommit=True
                )
        return self._conn

    async def _lost(self, passes: list[Pass]) -> dict[int, int]:
        """The passes that do not hold: index in `passes` → close code."""
        cursor = await (await self._connection()).execute(
            _LOST,
            {
                "users": integers([each.user_id for each in passes]),
                "sessions": _texts([each.session for each in passes]),
                "passwords": _texts([each.password for each in passes]),
                "tokens": _texts([each.token for each in passes]),
                "annotators": integers([each.annotator_id for each in passes]),
                "campaigns": integers([each.campaign_id for each in passes]),
                "pictures": _texts(["t" if each.pictures else "f" for each in passes]),
                "second_factor": settings.STAFF_SECOND_FACTOR,
                **staff_limits(),
            },
        )
        rows = await cursor.fetchall()
        codes = {True: CloseCode.NOT_ALLOWED, False: CloseCode.NOT_LOGGED_IN}
        return {place: codes[known] for place, known in rows}


def _texts(values: Iterable[str | None]) -> str:
    """A PostgreSQL text[] literal of alphanumeric texts; faster than psycopg's."""
    return f"{{{','.join(['NULL' if value is None else value for value in values])}}}"


guard = Guard()
