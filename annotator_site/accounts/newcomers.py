"""Looks up the users of tokens and sessions for new WebSockets.

Uses the connections of the labeling path: the ORM in a thread would double the cost of an arrival.
Concurrent arrivals are looked up in one statement.
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

# In the order of the model's fields, as `from_db` requires.
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
    """A token's user and scopes (values of `Scope`)."""

    user: User
    scopes: frozenset[str]


class Newcomers:
    """Looks users up over the connections that `pool` opens."""

    def __init__(self, pool: Callable[[], Awaitable[Pool]]) -> None:
        self._pool = pool
        self._tokens: Together[str, Holder] = Together(self._read_tokens)
        self._sessions: Together[str, User] = Together(self._read_sessions)

    async def of_token(self, digest: str) -> Holder | None:
        """The holder of the token with this digest; None if unknown, expired or deactivated.

        Raises psycopg.Error and PoolTimeout while the database is away.
        """
        return await self._tokens.get(digest)

    async def of_session(self, key: str | None) -> User | None:
        """The user of the session with this key, or None; raises as `of_token` does."""
        # A malformed key would fail the statement for all users looked up with it.
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
    """Whether the session began under the user's current password."""
    return constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash())
