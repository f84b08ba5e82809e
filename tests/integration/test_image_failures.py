"""Only a file that is truly not there is called so; every other failure is the machine's."""

import asyncio
import errno
import hashlib
import os
import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pictures import picture
from stock import add_images, make_campaign

from al_engine.pools import storage
from al_engine.pools.models import Campaign, Image
from al_engine.pools.storage import FileGone, StorageAway
from annotator_site import storage_threads
from annotator_site.images import route
from annotator_site.images.addresses import image_url

pytestmark = pytest.mark.django_db(transaction=True)

CODES = errno.errorcode
MISSING = {errno.ENOENT, errno.EISDIR}
"""What says that there is no such file. All else says nothing about any."""


@pytest.fixture
def campaign() -> Campaign:
    """A campaign of which a file is there."""
    made = make_campaign()
    add_images(made, 3)
    return made


@pytest.fixture
def image(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The key of an image with a file of its own, for a process that has served none yet."""
    monkeypatch.setattr(route, "_disk", route._Disk())
    monkeypatch.setattr(storage, "_lookout", storage._Lookout())
    monkeypatch.setattr(route, "_told", {})
    data = picture("PNG", (20, 10))
    key = f"images/{campaign.pk}/{hashlib.sha256(data).hexdigest()}.png"
    default_storage.save(key, ContentFile(data))
    yield key
    default_storage.delete(key)


def ask(url: str) -> tuple[int, dict[str, str], bytes]:
    """What this process answers: status, headers and body."""
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    parts = urlsplit(url)
    scope: Any = {
        "path": parts.path, "query_string": parts.query.encode(), "method": "GET", "headers": [],
    }  # fmt: skip
    asyncio.run(route.serve_image(scope, None, send))  # type: ignore[arg-type]  # not read
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(event["body"] for event in sent[1:])


def assert_for_now(url: str) -> None:
    """It is said that it cannot be served now, and to ask again."""
    status, headers, body = ask(url)
    assert (status, body) == (503, b"")
    assert headers["cache-control"] == "no-store"
    assert int(headers["retry-after"]) > 0


def failing(
    code: int, real: Callable[..., Any], is_ours: Callable[..., bool]
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if is_ours(*args):
            raise OSError(code, os.strerror(code))
        return real(*args, **kwargs)

    return call


@pytest.mark.parametrize("calls", [("open",), ("preadv", "pread")])
def test_a_file_that_cannot_be_read_for_now_is_not_called_missing(
    image: str, monkeypatch: pytest.MonkeyPatch, calls: tuple[str, ...]
) -> None:
    path = default_storage.path(image)
    statuses: dict[str, int] = {}
    for code, name in CODES.items():
        with monkeypatch.context() as patch:
            patch.setattr(route, "_disk", route._Disk())
            for call in calls:
                is_ours = (lambda to, *_: to == path) if call == "open" else (lambda *_: True)
                patch.setattr(os, call, failing(code, getattr(os, call), is_ours))
            statuses[name] = ask(image_url(image))[0]
    assert statuses == dict.fromkeys(CODES.values(), 503)
    assert ask(image_url(image))[0] == 200


def test_of_all_failures_two_say_that_a_file_is_not_there(image: str) -> None:
    key = image.replace(".png", "x.png")
    campaign_id = Campaign.objects.get().pk
    for code, name in CODES.items():
        error = OSError(code, os.strerror(code))
        failure = storage.failure_of(error, key=key, campaign_id=campaign_id)
        assert isinstance(failure, FileGone if code in MISSING else StorageAway), name
        # Without anything to compare with, nothing is proven.
        failure = storage.failure_of(error, key=key, campaign_id=None)
        assert isinstance(failure, StorageAway), name


def test_a_file_that_is_gone_is_not_there(image: str) -> None:
    assert ask(image_url(image))[0] == 200
    default_storage.delete(image)
    status, headers, _ = ask(image_url(image))
    assert (status, headers["cache-control"]) == (404, "no-store")


def test_a_folder_in_its_place_is_no_file(image: str) -> None:
    path = Path(default_storage.path(image))
    path.unlink()
    path.mkdir()
    assert ask(image_url(image))[0] == 404
    path.rmdir()


def test_where_all_files_are_gone_none_is(image: str) -> None:
    default_storage.delete(image)
    for row in Image.objects.all():
        row.key = f"images/{row.campaign_id}/away-{row.pk}.png"
        row.save()
    assert_for_now(image_url(image))
    assert not storage.look(Campaign.objects.get().pk).there


def test_where_the_folder_of_all_files_is_gone_none_is(image: str) -> None:
    root = Path(default_storage.path(""))
    away = root.with_name("media-away")
    assert ask(image_url(image))[0] == 200
    root.rename(away)
    try:
        assert_for_now(image_url(image))
        root.mkdir()  # as a mount point without its mount
        assert_for_now(image_url(image))
    finally:
        root.rmdir()
        away.rename(root)
    campaign_id = Campaign.objects.get().pk
    assert storage.look(campaign_id).there
    assert ask(image_url(image))[0] == 200


def test_a_process_without_descriptors_calls_nothing_missing(image: str) -> None:
    assert ask(image_url(image))[0] == 200
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    path = default_storage.path(image)
    taken: list[int] = []

    async def at_the_limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, usual[1]))
        with suppress(OSError):
            while True:
                taken.append(os.open(path, os.O_RDONLY))
        with pytest.raises(route._NotServed) as failed:
            await route._serve_file(path, [], send, wanted=True)
        assert failed.value.error.errno == errno.EMFILE
        assert await route._status_of(failed.value.error, image, campaign_id) == 503

    async def send(_: Any) -> None:
        raise AssertionError("nothing can go out")

    campaign_id = Campaign.objects.get().pk
    try:
        asyncio.run(at_the_limit())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
        for file in taken:
            os.close(file)
    assert ask(image_url(image))[0] == 200


@pytest.mark.parametrize("name", ["AAAAAA", "abc123", "______"])
def test_an_address_that_another_host_signed_is_good_elsewhere(image: str, name: str) -> None:
    url = image_url(image)
    ours = url.partition("&k=")[2][:6]
    assert_for_now(url.replace(f"&k={ours}", f"&k={name}"))


def test_a_storage_that_never_answers_holds_nobody_for_long(
    image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_threads, "PATIENCE_SECONDS", 0.05)
    answers = threading.Event()
    real, path, closed = os.open, default_storage.path(image), []

    def silent(name: Any, *args: Any, **kwargs: Any) -> int:
        if name == path:
            answers.wait(20)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", silent)
    close = os.close

    def remember(file: int) -> None:
        closed.append(file)
        close(file)

    monkeypatch.setattr(os, "close", remember)
    assert_for_now(image_url(image))
    assert not closed
    answers.set()
    while not closed:  # what is opened too late is closed again
        pass


def test_a_look_at_a_silent_storage_ends_and_the_next_does_not_begin(
    image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, looks = threading.Event(), []

    def size(key: str) -> int:
        looks.append(key)
        answers.wait(20)
        return 1

    monkeypatch.setattr(storage, "default_storage", SimpleNamespace(size=size))
    monkeypatch.setattr(storage, "PATIENCE_SECONDS", 0.05)
    campaign_id = Campaign.objects.get().pk
    for _ in range(3):
        assert "not answer" in storage.look(campaign_id).problem
    assert len(looks) == 1
    assert storage.known_away(campaign_id)
    assert_for_now(image_url(image))
    answers.set()
    while not storage.look(campaign_id).there:
        pass
    assert not storage.known_away(campaign_id)
