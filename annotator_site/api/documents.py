"""The schema as a file, as a page and as a text for programs that read."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from annotator_site.api.schema import whole_schema


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """The OpenAPI schema, as JSON."""
    return HttpResponse(_schema_bytes(), content_type="application/vnd.oai.openapi+json")


@require_safe
def documents(request: HttpRequest) -> HttpResponse:
    """The schema as a page, without a script, in English like the API."""
    with translation.override("en"):
        return render(request, "api/docs.html", {"tags": _by_tag()})


@require_safe
def llms(request: HttpRequest) -> HttpResponse:
    """What this site is and what its API offers, as Markdown."""
    text = render(request, "api/llms.txt", {"tags": _by_tag()}).content
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@cache
def _schema_bytes() -> bytes:
    return orjson.dumps(whole_schema())


@cache
def _by_tag() -> dict[str, list[dict[str, Any]]]:
    """The operations by resource."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, operations in whole_schema()["paths"].items():
        for method, operation in operations.items():
            row = {
                "method": method.upper(),
                "path": path,
                "summary": operation["summary"],
                "description": _marked(operation.get("description", "")),
                "parameters": [
                    {**each, "description": _marked(each["description"])}
                    for each in operation.get("parameters", [])
                    if each["in"] == "query"
                ],
                "takes": list(_fields(operation.get("requestBody", {}).get("content", {}))),
                "gives": list(_given(operation)),
            }
            found.setdefault(operation["tags"][0], []).append(row)
    return found


def _given(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The fields of the answer."""
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield from _fields(answer.get("content", {}))


def _fields(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for media in content.values():
        yield from _of_schema(media.get("schema", {}), "")
        return


def _of_schema(schema: dict[str, Any], within: str) -> Iterator[dict[str, Any]]:
    """The fields of a shape, each followed by those of what it holds: `results.image`."""
    schema = _resolved(schema)
    needed = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        full = _resolved(field)
        yield {
            "name": f"{within}{name}",
            "kind": _kind(full),
            "needed": name in needed,
            "words": _marked(field.get("description") or full.get("description", "")),
        }
        yield from _of_schema(full.get("items", full), f"{within}{name}.")


def _marked(text: str) -> SafeString:
    """A text with its parts in backticks as code."""
    parts = text.split("`")
    shown = [format_html("<code>{}</code>", part) if at % 2 else part
             for at, part in enumerate(parts)]  # fmt: skip
    return format_html_join("", "{}", ((part,) for part in shown))


def _kind(field: dict[str, Any]) -> str:
    kind = field.get("type") or "object"
    if isinstance(kind, list):
        kind = " or ".join(kind)
    return f"{kind} ({field['format']})" if "format" in field else str(kind)


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference names, or one of several that may be null."""
    for each in [schema, *schema.get("oneOf", []), *schema.get("allOf", [])]:
        if name := each.get("$ref"):
            found: dict[str, Any] = whole_schema()["components"]["schemas"][name.split("/")[-1]]
            return {
                **found,
                **({"description": schema["description"]} if "description" in schema else {}),
            }
    return schema
