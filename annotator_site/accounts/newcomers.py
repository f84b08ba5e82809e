"""Whose tokens and sessions these are, for connections that are opened.

Over the connections of the labeling path, not the ORM in a thread: that costs as much as all the
rest of an arrival. Who comes at the same time is looked up in one statement.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.utils.crypto import constant_time_compare
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from annotator_site.accounts.models import User
from annotator_site.accounts.staff_sessions import staff_limits, staff_session_holds
from annotator_site.pooled import read
from annotator_site.together import Together

Connection = AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]

# `from_db` takes them in the order of the model's fields.
_USER: Final = ("id", "password", "is_superuser", "username", "is_staff", "is_active")
_COLUMNS: Final = ", ".join(f"person.{name}" for name in _USER)
_OF_TOKENS: Final = f"""
    SELECT token.digest, token.scopes, {_COLUMNS}
    FROM accounts_token token JOIN accounts_user person ON person.id = token.user_id
    WHERE token.digest = ANY(%(values)s) AND person.is_active
      AND (token.expires_at IS NULL OR token.expires_at > now())
"""  # noqa: S608 - names of columns
_SESSIONS: Final = f"""
    SELECT s.session_key, s.session_data, {staff_session_holds("s.session_key")}
    FROM django_session s WHERE s.session_key = ANY(%(values)s) AND s.expire_date > now()
"""  # noqa: S608 - written above
_USERS: Final = f"""
    SELECT {_COLUMNS} FROM accounts_user person
    WHERE person.id = ANY(%(values)s) AND person.is_active
"""  # noqa: S608 - names of columns


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token it is, and what it is for (`Scope`)."""

    user: User
    scopes: frozenset[str]


class Newcomers:
    """Looks people up over the connections that `pool` opens."""

    def __init__(self, pool: Callable[[], Awaitable[Pool]]) -> None:
        self._pool = pool
        self._tokens: Together[str, Holder] = Together(self._read_tokens)
        self._sessions: Together[str, User] = Together(self._read_sessions)

    async def of_token(self, digest: str) -> Holder | None:
        """Whose token has this hash; None: nobody's, it has expired, or they were deactivated.

        Raises psycopg.Error and PoolTimeout while the database is away.
        """
        return await self._tokens.get(digest)

    async def of_session(self, key: str | None) -> User | None:
        """Who is logged in by the session with this key, or None; raises as `of_token` does."""
        # What the database cannot even read would fail all who are looked up with it.
        if key is None or not (key.isascii() and key.isalnum()):
            return None
        return await self._sessions.get(key)

    async def _read_tokens(self, digests: Sequence[str]) -> Mapping[str, Holder]:
        return {
            digest: Holder(_user(columns), frozenset(scopes))
            for digest, scopes, *columns in await self._rows(_OF_TOKENS, list(digests))
        }

    async def _read_sessions(self, keys: Sequence[str]) -> Mapping[str, User]:
        store = SessionStore()
        rows = await self._rows(_SESSIONS, list(keys))
        sessions = {key: store.decode(data) for key, data, _ in rows}
        for_staff = {key for key, _, holds in rows if holds}
        ids = {key: int(said[SESSION_KEY]) for key, said in sessions.items() if _says_who(said)}
        users = {
            user.pk: user for user in map(_user, await self._rows(_USERS, list(set(ids.values()))))
        }
        return {
            key: users[user_id]
            for key, user_id in ids.items()
            if user_id in users
            and _password_is_that_of(sessions[key], users[user_id])
            and (key in for_staff or not users[user_id].is_staff)
        }

    async def _rows(self, statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
        async def from_database(conn: Connection) -> list[tuple[Any, ...]]:
            parameters = {"values": values, **staff_limits()}
            return await (await conn.execute(statement, parameters)).fetchall()

        return await read(await self._pool(), from_database)


def _user(columns: Sequence[Any]) -> User:
    return User.from_db("default", _USER, columns)


def _says_who(session: Mapping[str, Any]) -> bool:
    return SESSION_KEY in session and session.get(BACKEND_SESSION_KEY) in (
        settings.AUTHENTICATION_BACKENDS
    )


def _password_is_that_of(session: Mapping[str, Any], user: User) -> bool:
    """Whether the session was begun under the person's password as it is now."""
    return constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
