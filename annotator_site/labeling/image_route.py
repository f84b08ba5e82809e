"""Serves images by signed address: no session, no query, no Django middleware in the way."""

import asyncio
from typing import Final
from urllib.parse import parse_qs

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.core.files.storage import default_storage

from annotator_site.labeling.image_urls import key_of

_TYPES: Final = {"png": b"image/png", "jpg": b"image/jpeg", "webp": b"image/webp"}
_HEADERS: Final = [
    (b"cache-control", b"private, max-age=1209600, immutable"),
    # An image is shown as an image or not at all, whatever somebody put into it.
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


async def serve_image(
    scope: HTTPScope, _receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    """Answer GET or HEAD of a signed address; 404 for a forged one as for a missing file."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    key = key_of(scope["path"], query.get("w", [""])[0], query.get("s", [""])[0])
    content_type = _TYPES.get(scope["path"].rpartition(".")[2])
    if scope["method"] not in ("GET", "HEAD") or key is None or content_type is None:
        await _respond(send, 404, [], b"")
        return
    try:
        body = await asyncio.to_thread(_read, key)
    except OSError:
        await _respond(send, 404, [], b"")
        return
    headers = [
        *_HEADERS,
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
    ]
    await _respond(send, 200, headers, body if scope["method"] == "GET" else b"")


def _read(key: str) -> bytes:
    with default_storage.open(key, "rb") as file:
        data: bytes = file.read()
        return data


async def _respond(
    send: ASGISendCallable, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": headers, "trailers": False}
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
