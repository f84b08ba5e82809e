"""security.txt: where to report a vulnerability of this installation (RFC 9116)."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

PATH: Final = ".well-known/security.txt"
_GOOD_FOR: Final = timedelta(days=180)
"""Less than the year that RFC 9116 allows. Computed for each request, so it never runs out."""


@require_safe
def security_txt(_request: HttpRequest) -> HttpResponse:
    """The contact of SECURITY_CONTACT; 404 if it is not set."""
    if not settings.SECURITY_CONTACT:
        raise Http404
    expires = (datetime.now(UTC) + _GOOD_FOR).strftime("%Y-%m-%dT00:00:00Z")
    languages = ", ".join(code for code, _ in settings.LANGUAGES)
    text = (
        f"Contact: {settings.SECURITY_CONTACT}\n"
        f"Expires: {expires}\n"
        f"Preferred-Languages: {languages}\n"
    )
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
