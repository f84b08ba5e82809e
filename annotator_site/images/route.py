"""Serves images by signed address: no session, no query, no Django middleware in the way.

Answers 404 only for a file that is proven to be gone, 403 for an invalid address, and 503 for every
other failure, after which clients wait and try again.
"""

import errno
import logging
import os
import re
import time
from functools import partial
from typing import Final
from urllib.parse import parse_qs

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope
from django.core.files.storage import default_storage
from django.db import Error as DatabaseError

from al_engine.pools import storage
from al_engine.pools.storage import FileGone
from annotator_site.images.addresses import SignedElsewhere, key_of
from annotator_site.storage_threads import soon, with_files

log = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]

_TYPES: Final = {"png": b"image/png", "jpg": b"image/jpeg", "webp": b"image/webp"}
_HEADERS: Final = [
    (b"cache-control", b"private, max-age=1209600, immutable"),
    # Browsers show the file as an image or not at all, whatever it contains.
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
PIECE_BYTES: Final = 256 * 1024
"""Larger files are sent in pieces of this size, each read once the previous one is sent."""
RETRY_AFTER_SECONDS: Final = 2
_TELL_SECONDS: Final = 60.0
"""Between two log lines about the same failure."""
_CAMPAIGN: Final = re.compile(r"images/(\d{1,18})/")


class _Disk:
    """Reads cached files on the event loop, and all others in a thread.

    The way to a thread and back is half the cost of a small image. With RWF_NOWAIT, Linux reads
    what is in its page cache and never waits. On a file system without it (a network mount, whose
    server may be gone), and until support is known, everything is read in a thread.
    """

    def __init__(self) -> None:
        self.at_once: int | None = getattr(os, "RWF_NOWAIT", None)
        self._known = False

    async def open(self, path: str) -> int:
        """A descriptor. Raises OSError."""
        if self.at_once is None or not self._known:
            return await soon(partial(os.open, path, os.O_RDONLY), late=os.close)
        return os.open(path, os.O_RDONLY)

    async def read(self, file: int, size: int, offset: int) -> bytes:
        """Read `size` bytes, fewer at the end of the file only. Raises OSError."""
        if self.at_once is not None:
            piece = bytearray(size)
            try:
                if os.preadv(file, [piece], offset, self.at_once) == size:
                    self._known = True
                    return bytes(piece)
            except BlockingIOError:
                self._known = True
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise
                self.at_once = None
        return await soon(partial(os.pread, file, size, offset))


_disk = _Disk()


async def serve_image(
    scope: HTTPScope, _receive: ASGIReceiveCallable, send: ASGISendCallable
) -> None:
    """Answer GET or HEAD of a signed address."""
    query = parse_qs(scope["query_string"].decode("latin-1"))
    signed = [query.get(name, [""])[0] for name in ("w", "k", "s")]
    try:
        key = key_of(scope["path"], *signed)
    except SignedElsewhere:
        _tell("An image address was signed with another key: do all hosts have one SECRET_KEY?")
        await _refuse(send, 503)
        return
    content_type = _TYPES.get(scope["path"].rpartition(".")[2])
    if scope["method"] not in ("GET", "HEAD") or key is None or content_type is None:
        await _refuse(send, 403)
        return
    headers = [*_HEADERS, (b"content-type", content_type)]
    campaign_id = int(found[1]) if (found := _CAMPAIGN.match(key)) else None
    if campaign_id is not None and storage.known_away(campaign_id):
        await _refuse(send, 503)
        return
    try:
        await _serve(key, headers, send, wanted=scope["method"] == "GET")
    except _NotServed as failed:
        await _refuse(send, await _status_of(failed.error, key, campaign_id))


class _NotServed(Exception):
    """An image cannot be served because of `error`; nothing has been sent yet."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


async def _status_of(error: OSError, key: str, campaign_id: int | None) -> int:
    """404 if the file is proven to be gone, else 503."""
    try:
        failure = await with_files(
            partial(storage.failure_of, error, key=key, campaign_id=campaign_id)
        )
    except DatabaseError as away:
        _tell(f"It is not known whether images are there: {' '.join(str(away).split())}")
        return 503
    if isinstance(failure, FileGone):
        return 404
    _tell(f"An image could not be served: {failure}")
    return 503


async def _serve(key: str, headers: Headers, send: ASGISendCallable, *, wanted: bool) -> None:
    try:
        path = default_storage.path(key)
    except NotImplementedError:
        # Object storage, asked for by an old address; new addresses point to the storage.
        await _serve_object(key, headers, send, wanted=wanted)
    else:
        await _serve_file(path, headers, send, wanted=wanted)


async def _serve_file(path: str, headers: Headers, send: ASGISendCallable, *, wanted: bool) -> None:
    try:
        file = await _disk.open(path)
    except OSError as error:
        raise _NotServed(error) from error
    try:
        try:
            size = os.fstat(file).st_size
            # Read before the headers are sent, so that a failure to read still has its status.
            piece = await _disk.read(file, min(size, PIECE_BYTES), 0) if wanted else b""
        except OSError as error:
            raise _NotServed(error) from error
        await _start(send, 200, [*headers, (b"content-length", str(size).encode())])
        for offset in range(PIECE_BYTES, size if wanted else 0, PIECE_BYTES):
            await _send(send, piece, more=True)
            # A failure from here on cuts the response short, which clients see as an error.
            piece = await _disk.read(file, min(size - offset, PIECE_BYTES), offset)
        await _send(send, piece)
    finally:
        os.close(file)


async def _serve_object(
    key: str, headers: Headers, send: ASGISendCallable, *, wanted: bool
) -> None:
    try:
        body = await soon(partial(_read_object, key))
    except OSError as error:
        raise _NotServed(error) from error
    await _start(send, 200, [*headers, (b"content-length", str(len(body)).encode())])
    await _send(send, body if wanted else b"")


def _read_object(key: str) -> bytes:
    with default_storage.open(key, "rb") as file:
        data: bytes = file.read()
        return data


async def _refuse(send: ASGISendCallable, status: int) -> None:
    headers = [(b"cache-control", b"no-store"), (b"content-length", b"0")]
    if status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_SECONDS).encode()))
    await _start(send, status, headers)
    await _send(send, b"")


async def _start(send: ASGISendCallable, status: int, headers: Headers) -> None:
    await send(
        {"type": "http.response.start", "status": status, "headers": headers, "trailers": False}
    )


async def _send(send: ASGISendCallable, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


_told: dict[str, float] = {}


def _tell(words: str) -> None:
    """Log once in _TELL_SECONDS: everybody's page asks again and again."""
    now = time.monotonic()
    if now - _told.get(words, -_TELL_SECONDS) >= _TELL_SECONDS:
        if len(_told) > 100:
            _told.clear()
        _told[words] = now
        log.warning("%s", words)
