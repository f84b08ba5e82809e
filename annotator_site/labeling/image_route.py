"""Serves images by signed address: no session, no query, no Django middleware in the way."""

import asyncio
import errno
import os
from typing import Final
from urllib.parse import parse_qs

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.core.files.storage import default_storage

from annotator_site.labeling.image_urls import key_of

Headers = list[tuple[bytes, bytes]]

_TYPES: Final = {"png": b"image/png", "jpg": b"image/jpeg", "webp": b"image/webp"}
_HEADERS: Final = [
    (b"cache-control", b"private, max-age=1209600, immutable"),
    # An image is shown as an image or not at all, whatever somebody put into it.
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
PIECE_BYTES: Final = 256 * 1024
"""Larger files go out in pieces of this size, each read when the one before has gone."""


class _Disk:
    """Reads that take no time are done at once, the others in a thread.

    The way to a thread and back is half the cost of a small image. Linux can read what it has in
    memory, and say that it has not, without waiting; on a file system that cannot (a shared one,
    whose server may be gone) everything is done in a thread.
    """

    def __init__(self) -> None:
        self.at_once: int | None = getattr(os, "RWF_NOWAIT", None)

    async def open(self, path: str) -> int:
        """A descriptor. Raises OSError."""
        if self.at_once is None:
            return await asyncio.to_thread(os.open, path, os.O_RDONLY)
        return os.open(path, os.O_RDONLY)

    async def read(self, file: int, size: int, offset: int) -> bytes:
        """So many bytes, fewer at the end of the file only. Raises OSError."""
        if self.at_once is not None:
            piece = bytearray(size)
            try:
                if os.preadv(file, [piece], offset, self.at_once) == size:
                    return bytes(piece)
            except BlockingIOError:
                pass
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise
                self.at_once = None
        return await asyncio.to_thread(os.pread, file, size, offset)


_disk = _Disk()


async def serve_image(
    scope: HTTPScope, _receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    """Answer GET or HEAD of a signed address; 404 for a forged one as for a missing file."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    key = key_of(scope["path"], query.get("w", [""])[0], query.get("s", [""])[0])
    content_type = _TYPES.get(scope["path"].rpartition(".")[2])
    if scope["method"] not in ("GET", "HEAD") or key is None or content_type is None:
        await _not_there(send)
        return
    wanted = scope["method"] == "GET"
    headers = [*_HEADERS, (b"content-type", content_type)]
    try:
        path = default_storage.path(key)
    except NotImplementedError:
        # Object storage, by an address from before; new ones lead there themselves.
        await _serve_object(key, headers, send, wanted=wanted)
    else:
        await _serve_file(path, headers, send, wanted=wanted)


async def _serve_file(path: str, headers: Headers, send: ASGISendCallable, *, wanted: bool) -> None:
    try:
        file = await _disk.open(path)
    except OSError:
        await _not_there(send)
        return
    try:
        size = os.fstat(file).st_size
        # Before the first byte goes out, so that a file that cannot be read is not there.
        piece = await _disk.read(file, min(size, PIECE_BYTES), 0) if wanted else b""
        await _start(send, 200, [*headers, (b"content-length", str(size).encode())])
        for offset in range(PIECE_BYTES, size if wanted else 0, PIECE_BYTES):
            await _send(send, piece, more=True)
            piece = await _disk.read(file, min(size - offset, PIECE_BYTES), offset)
        await _send(send, piece)
    finally:
        os.close(file)


async def _serve_object(
    key: str, headers: Headers, send: ASGISendCallable, *, wanted: bool
) -> None:
    try:
        body = await asyncio.to_thread(_read_object, key)
    except OSError:
        await _not_there(send)
        return
    await _start(send, 200, [*headers, (b"content-length", str(len(body)).encode())])
    await _send(send, body if wanted else b"")


def _read_object(key: str) -> bytes:
    with default_storage.open(key, "rb") as file:
        data: bytes = file.read()
        return data


async def _not_there(send: ASGISendCallable) -> None:
    await _start(send, 404, [])
    await _send(send, b"")


async def _start(send: ASGISendCallable, status: int, headers: Headers) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": headers, "trailers": False}
    )


async def _send(send: ASGISendCallable, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
