"""Who may send the large forms of the admin: staff, recognized by a signed cookie.

A body is received whole before any session is looked up. So each admin page sets a ticket, which
proves from the headers alone, without the database, that logged-in staff opened a page in the same
session. A ticket permits larger bodies and authenticates nobody.
"""

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, parse_cookie
from django.http.response import HttpResponseBase

from annotator_site.network.limits import FORM_BYTES, body_limit

ADMINISTRATION: Final = "/admin/"
_signer: Final = TimestampSigner(salt="large forms")


def limit_at(path: str, cookies: bytes) -> int:
    """The body limit in bytes at this path with this Cookie header."""
    limit = body_limit(path)
    return limit if limit <= FORM_BYTES or _has_ticket(cookies) else FORM_BYTES


def ticket(session_key: str) -> str:
    """The cookie's value for a session: time and signature, without the session's key."""
    return _signer.sign(session_key).removeprefix(f"{session_key}{_signer.sep}")


class LargeFormsMiddleware:
    """Sets a new ticket for staff with each page of the admin."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The response, with a ticket if it is an admin page for staff."""
        response = self.get_response(request)
        if (
            request.path_info.startswith(ADMINISTRATION)
            and request.user.is_active
            and request.user.is_staff
            and request.session.session_key
        ):
            response.set_cookie(
                settings.LARGE_FORMS_COOKIE_NAME,
                ticket(request.session.session_key),
                max_age=settings.STAFF_SESSION_AGE,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",
            )
        return response


def _has_ticket(header: bytes) -> bool:
    cookies = parse_cookie(header.decode("latin-1"))
    session = cookies.get(settings.SESSION_COOKIE_NAME)
    shown = cookies.get(settings.LARGE_FORMS_COOKIE_NAME)
    if not session or not shown:
        return False
    try:
        _signer.unsign(f"{session}{_signer.sep}{shown}", max_age=settings.STAFF_SESSION_AGE)
    except BadSignature:
        return False
    return True
