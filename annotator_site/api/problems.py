"""Errors as `application/problem+json` (RFC 9457): what is wrong, where, and what to do."""

import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_REMEDIES: Final = {
    "required": "Send this field.",
    "null": "Send a value, or leave the field out.",
    "does_not_exist": "Send one that exists.",
    "invalid_choice": "Send one of those that are listed.",
    "not_a_list": "Send a list.",
    "blank": "Send some text.",
}
_CORRECT: Final = "Correct this value and send the request again."
_BY_STATUS: Final = {
    401: "Log in, or send the header “Authorization: Token …” with a token of the account page.",
    403: "Ask somebody who runs the campaign for this right, or use another token.",
    404: "Look at GET /api/v1/campaigns for what there is for you.",
    405: "Look at /api/docs/ for the methods of this address.",
    415: "Send JSON, with the header “Content-Type: application/json”.",
    429: "Wait as many seconds as Retry-After says.",
}
"""Remedies where the detail says none of its own."""


class BadField(exceptions.APIException):
    """A field or parameter with a value that cannot be; `remedy` says what can."""

    status_code = 400
    default_code = "invalid"

    def __init__(self, field: str, message: str, remedy: str = _CORRECT) -> None:
        super().__init__(message)
        self.errors = [{"field": field, "message": message, "remedy": remedy}]


class Conflict(exceptions.APIException):
    """What is asked for contradicts what there is."""

    status_code = 409
    default_code = "conflict"


class NotReady(exceptions.APIException):
    """Something that is needed is away for now."""

    status_code = 503
    default_code = "not_ready"


def answer(error: Exception, context: Mapping[str, Any]) -> HttpResponseBase | None:
    """The response for an error; None for one that is this site's own fault."""
    if isinstance(error, Http404):
        error = exceptions.NotFound(*error.args)
    elif isinstance(error, DjangoPermissionDenied):
        error = exceptions.PermissionDenied(*error.args)
    elif isinstance(error, OperationalError | InterfaceError):
        log.warning("The API has no database: %s", " ".join(str(error).split()))
        error = NotReady("The database of this site is away: come again a little later.")
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    status = error.status_code
    errors = list(getattr(error, "errors", _errors(error)))
    code = error.get_codes() if isinstance(error.detail, str) else "invalid"
    response = Response(
        {
            "type": f"urn:nowait:problem:{code}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": _detail(error, errors),
            "errors": errors,
        },
        status=status,
        content_type=MEDIA_TYPE,
    )
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(int(wait))
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = "5"
    return response


def _detail(error: exceptions.APIException, errors: list[dict[str, str]]) -> str:
    if isinstance(error.detail, str) and not errors:
        said = str(error.detail)
        remedy = _BY_STATUS.get(error.status_code, "")
        return f"{said} {remedy}".strip() if ":" not in said else said
    fields = ", ".join(each["field"] or "the whole" for each in errors)
    return f"Some values cannot be used: {fields}. The errors say why, each with a remedy."


def _errors(error: exceptions.APIException) -> Iterator[dict[str, str]]:
    if not isinstance(error.detail, str):
        yield from _walk(error.detail, "")


def _walk(detail: Any, where: str) -> Iterator[dict[str, str]]:
    """The errors of a serializer, each with the path of its field: `classes.2.name`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            here = where if name == "non_field_errors" else f"{where}.{name}".strip(".")
            yield from _walk(inner, here)
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            yield from _walk(inner, where if isinstance(inner, str) else f"{where}.{place}")
    else:
        remedy = _REMEDIES.get(getattr(detail, "code", ""), _CORRECT)
        yield {"field": where.strip("."), "message": str(detail), "remedy": remedy}
