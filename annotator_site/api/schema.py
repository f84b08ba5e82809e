"""The OpenAPI schema: what each operation takes, gives and refuses, said at the operation."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

View = TypeVar("View", bound=Callable[..., Any])

PREFIX: Final = "/api/v1/"
PROBLEMS: Final = {
    "400": "A value cannot be used; `errors` names each field, with a remedy.",
    "401": "Not logged in, or with an unknown token.",
    "403": "The token's scope or the person's permissions do not allow it.",
    "404": "There is no such thing, or not for this person.",
    "405": "The address has no such method.",
    "409": "It contradicts what there is.",
    "415": "Only JSON is taken.",
    "429": "Too many requests: come again after Retry-After seconds.",
    "503": "Something that is needed is away: come again after Retry-After seconds.",
}
_PARAMETERS: Final = {
    "limit": OpenApiParameter(
        "limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        description="Rows of a page.",
    ),
    "fields": OpenApiParameter(
        "fields", str, description="Only these fields of each row, separated by commas."
    ),
}  # fmt: skip


class Schema(AutoSchema):
    """Operations by resource: `campaigns/{slug}/labels` is tagged labels."""

    def get_tags(self) -> list[str]:
        """The last fixed part of the address."""
        fixed = self._fixed_parts()
        return [fixed[1] if len(fixed) > 1 else fixed[0]]

    def get_operation_id(self) -> str:
        """The method and the last fixed part: `get_images`; `get_images_one` of a single one."""
        one = "_one" if self.path.endswith("}") else ""
        return f"{self.method.lower()}_{self._fixed_parts()[-1]}{one}"

    def _fixed_parts(self) -> list[str]:
        return [part for part in self.path.removeprefix(PREFIX).split("/") if "{" not in part]


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a token is sent."""

    target_class = "annotator_site.api.authentication.ByToken"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A header, since OpenAPI knows no scheme of this name."""
        words = "The word Token, a space, and a token of the account page: `Token …`."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": words}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The session of a logged-in person."""

    target_class = "annotator_site.api.authentication.BySession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A cookie; changes need the header X-CSRFToken beside it."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


def described(
    summary: str,
    shape: Any,
    *,
    many: bool = False,
    followed: bool = False,
    state: Sequence[str] = (),
    takes: Any = None,
    status: int = 200,
) -> Callable[[View], View]:
    """Describe an operation: what it takes and gives.

    `many`: a page of a list; `followed`: one that gives each row once to who goes on from `since`;
    `state`: values of the filter `state`.
    """
    parameters: list[OpenApiParameter] = []
    if many:
        parameters = [*_PARAMETERS.values(), _since(followed)]
    if state:
        words = "Images of this pool alone."
        parameters.append(OpenApiParameter("state", str, enum=list(state), description=words))
    given: Any = _page_of(shape) if many else shape
    if shape is bytes:
        given = OpenApiTypes.BINARY
    elif shape is dict:
        given = OpenApiTypes.OBJECT
    media = "application/octet-stream" if shape is bytes else "application/json"
    responses: dict[Any, Any] = {(status, media): OpenApiResponse(given, description=summary)}
    wrap: Callable[[View], View] = extend_schema(
        summary=summary, parameters=parameters, request=takes, responses=responses
    )
    return wrap


def only_resources(endpoints: list[Any], **_: Any) -> list[Any]:
    """Leave out what is no resource: the schema itself."""
    return [each for each in endpoints if each[0].startswith(PREFIX) and "{rest}" not in each[0]]


def with_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the refusals, which every operation has, and their shape."""
    result["components"]["schemas"]["Problem"] = {
        "type": "object",
        "description": "RFC 9457, with the fields that are wrong.",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        name: {"type": "string"} for name in ("field", "message", "remedy")
                    },
                    "required": ["field", "message", "remedy"],
                },
            },
        },
        "required": ["type", "title", "status", "detail", "errors"],
    }
    shape = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for operations in result["paths"].values():
        for operation in operations.values():
            for status, words in PROBLEMS.items():
                operation["responses"].setdefault(
                    status, {"description": words, "content": {"application/problem+json": shape}}
                )
            operation["responses"]["304"] = {"description": "It is what the ETag was of."}
    return result


@cache
def whole_schema() -> dict[str, Any]:
    """The schema of the whole API, made once a process."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


def _since(followed: bool) -> OpenApiParameter:
    words = "Go on behind an earlier page: its `since`."
    if followed:
        words += " It stays good for ever: each row comes once, and none is missed."
    return OpenApiParameter(
        "since", {"type": "string", "pattern": "^[0-9]{1,18}(-[0-9]{1,18})*$"}, description=words
    )


@cache
def _page_of(shape: Any) -> Any:
    """The shape of a page of rows."""
    fields = {
        "results": shape(many=True),
        "since": serializers.CharField(
            allow_null=True, help_text="Where this page ends: to go on from, now or later."
        ),
        "next": serializers.URLField(
            allow_null=True, help_text="The next page, if there is more already."
        ),
    }
    return type(f"{shape.__name__.removesuffix('Shape')}Page", (serializers.Serializer,), fields)
