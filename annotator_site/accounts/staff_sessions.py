"""How long staff stay logged in: until nothing was done for a while, and never longer than a day.

A session of staff ends STAFF_IDLE after it was last used, and STAFF_SESSION_AGE after its log-in.
A page that is asked for uses it, and so does an open WebSocket: who labels or watches a campaign
asks for no page. Sessions of annotators end as Django's do.

When a session was last used is in the list of sessions, beside it, not in it: what is written
there would be written at every page.
"""

from datetime import timedelta
from typing import Any, Final

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

SEEN_STEP: Final = timedelta(seconds=30)
"""A session that is used is noted no more often than this."""

# Of sessions by their keys, which a connection rests on.
NOTE_USE: Final = """
UPDATE usersessions_usersession SET last_seen_at = clock_timestamp() WHERE session_key = ANY(%s)
"""


def staff_session_holds(key: str) -> str:
    """SQL: whether the session with the key of this column is one that staff may still use.

    Its parameters are `staff_limits`. One that is not in the list was never used for a page.
    """
    return f"""coalesce((
        SELECT seen.last_seen_at > clock_timestamp() - %(idle)s::interval
           AND seen.created_at > clock_timestamp() - %(age)s::interval
        FROM usersessions_usersession seen WHERE seen.session_key = {key}), true)"""  # noqa: S608


def staff_limits() -> dict[str, timedelta]:
    """The parameters of `staff_session_holds`."""
    return {"idle": settings.STAFF_IDLE, "age": settings.STAFF_SESSION_AGE}


def use(request: HttpRequest) -> bool:
    """Note that staff use their session now; false where it has ended."""
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
