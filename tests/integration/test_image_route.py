"""Images are served to whoever was given their address, and to nobody else."""

import errno
import hashlib
import http.client
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pictures import picture

from annotator_site.images.addresses import image_url, key_of
from annotator_site.images.route import PIECE_BYTES, _Disk


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, with header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


Ask = Callable[..., Answer]


@pytest.fixture
def ask(live_site: str) -> Ask:
    """Asks the web process for an address, sent as it is."""

    def ask_once(target: str, method: str = "GET", body: bytes | None = None) -> Answer:
        with closing(http.client.HTTPConnection(urlsplit(live_site).netloc, timeout=15)) as site:
            site.putrequest(method, target, skip_accept_encoding=True)
            site.putheader("Content-Length", str(len(body or b"")))
            site.endheaders(body)
            response = site.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())

    return ask_once


@pytest.fixture(scope="module")
def stored() -> Iterator[tuple[str, bytes]]:
    """A PNG in the storage: its key and its bytes."""
    data = picture("PNG")
    key = f"images/0/{hashlib.sha256(data).hexdigest()}.png"
    default_storage.save(key, ContentFile(data))
    yield key, data
    default_storage.delete(key)


@pytest.mark.parametrize(
    ("format_", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp")]
)
def test_a_signed_address_gives_the_image_as_it_is(ask: Ask, format_: str, extension: str) -> None:
    data = picture(format_, (40, 30))
    key = f"images/0/{hashlib.sha256(data).hexdigest()}.{extension}"
    default_storage.save(key, ContentFile(data))
    answer = ask(image_url(key))
    assert (answer.status, answer.body) == (200, data)
    assert answer.headers["content-type"] == f"image/{format_.lower()}"
    assert answer.headers["content-length"] == str(len(data))
    default_storage.delete(key)


@pytest.mark.parametrize("size", [PIECE_BYTES - 1, PIECE_BYTES, 3 * PIECE_BYTES + 17])
def test_a_large_file_comes_whole(ask: Ask, size: int) -> None:
    data = os.urandom(size)
    key = f"images/0/{hashlib.sha256(data).hexdigest()}.png"
    default_storage.save(key, ContentFile(data))
    answer = ask(image_url(key))
    assert answer.headers["content-length"] == str(size)
    assert answer.body == data
    default_storage.delete(key)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_file_is_the_same_whether_its_disk_can_read_at_once_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    disk = _Disk()
    if not at_once:

        def refuse(*_: object) -> int:
            raise OSError(errno.EOPNOTSUPP, "as a shared folder says")

        monkeypatch.setattr(os, "preadv", refuse)
    path = tmp_path / "x"
    path.write_bytes(bytes(range(200)))
    for _ in range(2):
        file = await disk.open(str(path))
        assert await disk.read(file, 200, 0) == bytes(range(200))
        assert await disk.read(file, 50, 150) == bytes(range(150, 200))
        assert await disk.read(file, 500, 199) == bytes([199])
        os.close(file)
    assert (disk.at_once is not None) is (at_once and hasattr(os, "RWF_NOWAIT"))
    with pytest.raises(FileNotFoundError):
        await disk.open(str(tmp_path / "y"))


def test_an_image_is_kept_by_the_browser_and_is_nothing_but_an_image(
    ask: Ask, stored: tuple[str, bytes]
) -> None:
    headers = ask(image_url(stored[0])).headers
    assert headers["cache-control"] == "private, max-age=1209600, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "set-cookie" not in headers


def test_head_gives_the_headers_alone(ask: Ask, stored: tuple[str, bytes]) -> None:
    key, data = stored
    answer = ask(image_url(key), "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(data))


def test_nothing_can_be_written_to_an_image(ask: Ask, stored: tuple[str, bytes]) -> None:
    key, data = stored
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert ask(image_url(key), method, b"x" * 10).status == 403
    assert ask(image_url(key)).body == data


def parts_of(url: str) -> tuple[str, str, str, str]:
    """Path, week, name of the key, and signature of an address."""
    parts = urlsplit(url)
    fields = dict(parse_qsl(parts.query))
    return parts.path, fields["w"], fields["k"], fields["s"]


def test_a_changed_address_is_refused(ask: Ask, stored: tuple[str, bytes]) -> None:
    key = stored[0]
    url = urlsplit(image_url(key))
    _, week, name, signature = parts_of(image_url(key))
    signed = f"k={name}&s={signature}"
    other = urlsplit(image_url(key.replace("images/0/", "images/1/")))
    forged = [
        url.path,
        f"{url.path}?",
        f"{url.path}?w={week}",
        f"{url.path}?s={signature}",
        f"{url.path}?w={week}&s={signature}",
        f"{url.path}?w={week}&k=&s={signature}",
        f"{url.path}?w={week}&k={name[:-1]}&s={signature}",
        f"{url.path}?w={week}&k={name}x&s={signature}",
        f"{url.path}?w={week}&k={name}&s=",
        f"{url.path}?w={week}&{signed[:-1]}",
        f"{url.path}?w={week}&{signed}A",
        f"{url.path}?w={int(week) - 1}&{signed}",
        f"{url.path}?w={int(week) - 2}&{signed}",
        f"{url.path}?w={int(week) + 1}&{signed}",
        f"{url.path}?w=-1&{signed}",
        f"{url.path}?w={'9' * 5_000}&{signed}",
        f"{url.path}?w={quote('²')}&{signed}",
        f"{url.path}?w={week}&k={name}&s={quote('é')}",
        f"{url.path}?w={week}&k={name}&s=%FF%00",
        f"{url.path}?w={week}&{signed}&s=x&w=x".replace("?w=", "?w=0&w="),
        f"{other.path}?{url.query}",
        f"{url.path}.png?{url.query}",
        f"/i/?{url.query}",
        f"/i/../../../../etc/passwd?{url.query}",
        f"/i/%2e%2e/%2e%2e/secret_key?{url.query}",
        f"/i/%FF%FE?{url.query}",
        f"/i/{quote('ä')}.png?{url.query}",
        f"/i/%00.png?{url.query}",
    ]
    for target in forged:
        answer = ask(target)
        assert answer.status == 403, target[:120]
        assert answer.headers["cache-control"] == "no-store"
        assert b"Traceback" not in answer.body
    assert ask(f"/media/{key}?{url.query}").status == 404


def test_only_images_are_served_whatever_was_signed(ask: Ask) -> None:
    key = "images/0/page.html"
    default_storage.save(key, ContentFile(b"<script>alert(1)</script>"))
    assert ask(image_url(key)).status == 403
    default_storage.delete(key)


def test_an_address_is_the_same_all_week_and_good_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    week = 7 * 24 * 3600
    began = (int(time.time()) // week) * week
    key = "images/0/x.png"

    def at(seconds: int) -> None:
        monkeypatch.setattr("annotator_site.images.addresses.time.time", lambda: began + seconds)

    def read(url: str) -> str | None:
        return key_of(*parts_of(url))

    at(0)
    url = image_url(key)
    at(week - 1)
    assert image_url(key) == url
    assert read(url) == key
    at(week)
    assert image_url(key) != url
    assert read(url) == key
    at(2 * week - 1)
    assert read(url) == key
    at(2 * week)
    assert read(url) is None
    at(-1)
    assert read(url) is None
