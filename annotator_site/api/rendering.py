"""JSON out, by orjson: several times as quick as the framework's own for a page of labels."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class Json(BaseRenderer):
    """Renders answers as application/json; times are ISO 8601 in UTC already."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """The bytes; none for an answer without contents."""
        return b"" if data is None else orjson.dumps(data, default=str)


class AsItIs(BaseContentNegotiation):
    """Takes whatever Accept says for what there is: each address has one kind of contents."""

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """The only renderer."""
        (renderer,) = renderers
        return renderer, str(renderer.media_type)
