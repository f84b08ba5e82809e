"""What is this site's own fault: a page for people, a problem for programs."""

import json
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views import defaults

from annotator_site.api.problems import MEDIA_TYPE
from annotator_site.pages import PROGRAMS

_STATUS: Final = HTTPStatus.INTERNAL_SERVER_ERROR
_PROBLEM: Final = {
    "type": "urn:nowait:problem:error",
    "title": _STATUS.phrase,
    "status": _STATUS.value,
    "detail": (
        "The site failed at this; its operators find why in the log. Send the request again: with "
        "an Idempotency-Key nothing is done twice."
    ),
    "errors": [],
}


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500."""
    if not request.path.startswith(PROGRAMS):
        return defaults.server_error(request)
    return HttpResponse(json.dumps(_PROBLEM), status=_STATUS, content_type=MEDIA_TYPE)
