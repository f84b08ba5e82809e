"""Limits sessions of staff by idle time and by age.

A session of staff ends STAFF_IDLE after its last use, and STAFF_SESSION_AGE after its log-in.
Requests for pages and open WebSockets use it: labeling and watching request no pages. Sessions of
annotators end as Django's do.

The last use is stored in the list of sessions (`UserSession`), not in the session, which would be
written at every page.
"""

from datetime import timedelta
from typing import Any, Final

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

SEEN_STEP: Final = timedelta(seconds=30)
"""The last use of a session is recorded no more often than this."""

# Parameter: the keys of sessions with open connections.
NOTE_USE: Final = """
UPDATE usersessions_usersession SET last_seen_at = clock_timestamp() WHERE session_key = ANY(%s)
"""


def staff_session_holds(key: str) -> str:
    """SQL: whether staff may still use the session whose key is in column `key`.

    Its parameters are `staff_limits`. A session that is not listed was never used for a page, and
    may be used.
    """
    return f"""coalesce((
        SELECT seen.last_seen_at > clock_timestamp() - %(idle)s::interval
           AND seen.created_at > clock_timestamp() - %(age)s::interval
        FROM usersessions_usersession seen WHERE seen.session_key = {key}), true)"""  # noqa: S608


def staff_limits() -> dict[str, timedelta]:
    """The parameters of `staff_session_holds`."""
    return {"idle": settings.STAFF_IDLE, "age": settings.STAFF_SESSION_AGE}


def use(request: HttpRequest) -> bool:
    """Record that staff use their session now; False if it has ended."""
    now = timezone.now()
    row: Any = UserSession.objects.filter(session_key=request.session.session_key).first()
    if row is None:
        UserSession.objects.create_from_request(request)
        return True
    idle = now - row.last_seen_at
    if idle > settings.STAFF_IDLE or now - row.created_at > settings.STAFF_SESSION_AGE:
        return False
    if idle > SEEN_STEP:
        UserSession.objects.filter(pk=row.pk).update(last_seen_at=now)
    return True
