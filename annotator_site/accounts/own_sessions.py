"""Lists and ends a user's own sessions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from allauth.usersessions.models import UserSession
from django.http import HttpRequest

MAX_SESSIONS: Final = 50
"""Sessions per user; each log-in reads them all."""

# Marks in User-Agent headers. The first match counts: browsers also send the marks of later rows.
_BROWSERS: Final = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A session as its user sees it; `browser` and `system` are empty when unknown."""

    pk: int
    here: bool
    since: datetime
    ip: str
    browser: str
    system: str


def sessions_of(request: HttpRequest) -> list[OwnSession]:
    """The sessions of this request's user: the current one first, then newest first."""
    current = request.session.session_key
    if not UserSession.objects.filter(session_key=current).exists():
        UserSession.objects.create_from_request(request)
    found = [
        OwnSession(
            pk=row.pk,
            here=row.session_key == current,
            since=row.created_at,
            ip=row.ip,
            browser=_first(_BROWSERS, row.user_agent),
            system=_first(_SYSTEMS, row.user_agent),
        )
        for row in UserSession.objects.purge_and_list(request.user)
    ]
    return sorted(found, key=lambda each: (each.here, each.since), reverse=True)


def make_room(user: Any) -> None:
    """End a user's oldest sessions, so that one more is within MAX_SESSIONS."""
    _end(UserSession.objects.filter(user=user).order_by("-created_at")[MAX_SESSIONS - 1 :])


def end_others(request: HttpRequest) -> None:
    """End the user's other sessions; their connections end with them."""
    current = request.session.session_key
    _end(UserSession.objects.filter(user=request.user).exclude(session_key=current))


def end_one(request: HttpRequest, pk: int) -> None:
    """End one of the user's sessions; does nothing for anybody else's or an unknown `pk`."""
    _end(UserSession.objects.filter(user=request.user, pk=pk))


def _end(rows: Iterable[Any]) -> None:
    for row in rows:
        row.end()


def _first(names: Iterable[tuple[str, str]], agent: str) -> str:
    return next((name for sign, name in names if sign in agent), "")
