"""Which pages wait for which others."""

import asyncio
import json
from typing import Any

import pytest

from annotator_site import pages
from annotator_site.accounts import hashing
from annotator_site.pages import Pages

AT, ELSEWHERE = "192.0.2.7", "198.51.100.7"
PASSWORDS = ["/accounts/login/", "/admin/login/", "/admin/password_change/", "/accounts/password/"]


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many wait as in a flood, and nobody waits for them here."""
    monkeypatch.setattr(pages, "PAGE_REST_S", 0.001)
    monkeypatch.setattr(pages, "PASSWORD_REST_S", 0.001)


class Site:
    """Pages of which each takes until `end`; `inside` has those that have begun."""

    def __init__(self) -> None:
        self.pages = Pages(self._serve)
        self.inside: list[tuple[str, str, str]] = []
        self.end = asyncio.Event()

    async def ask(self, method: str, path: str, address: str = AT) -> None:
        """One request."""
        scope = {
            "type": "http", "method": method, "path": path, "headers": [], "client": (address, 1),
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "http.request"}

        async def send(event: Any) -> None:
            pass

        await self.pages(scope, receive, send)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        self.inside.append((scope["client"][0], scope["method"], scope["path"]))
        await self.end.wait()
        await send({"type": "http.response.start"})


@pytest.mark.parametrize("path", PASSWORDS)
async def test_who_tries_passwords_keeps_only_the_next_password_waiting(path: str) -> None:
    site = Site()
    async with asyncio.TaskGroup() as group:
        for _ in range(64):
            group.create_task(site.ask("POST", path))
        for other in ("/admin/", "/accounts/login/", "/", "/static/x.css"):
            group.create_task(site.ask("GET", other))
        group.create_task(site.ask("POST", "/admin/pools/campaign/add/"))
        await asyncio.sleep(0.01)
        assert site.inside.count((AT, "POST", path)) == hashing.AT_ONCE + 1
        assert len(site.inside) == hashing.AT_ONCE + 1 + 5
        group.create_task(site.ask("POST", path, ELSEWHERE))
        await asyncio.sleep(0.01)
        site.end.set()
    came = [at for at, *asked in site.inside if asked == ["POST", path]]
    assert came.index(ELSEWHERE) <= hashing.AT_ONCE + 2, "after one of those who wait, not all"


async def test_strangers_at_the_log_in_come_one_at_a_time_and_keep_no_other_page_waiting() -> None:
    site = Site()
    async with asyncio.TaskGroup() as group:
        for _ in range(64):
            group.create_task(site.ask("GET", "/accounts/login/"))
        for other in ("/admin/", "/", "/static/x.css"):
            group.create_task(site.ask("GET", other))
        await asyncio.sleep(0.01)
        assert site.inside.count((AT, "GET", "/accounts/login/")) == 1
        assert len(site.inside) == 1 + 3
        group.create_task(site.ask("GET", "/accounts/login/", ELSEWHERE))
        await asyncio.sleep(0.01)
        site.end.set()
    came = [at for at, *asked in site.inside if asked == ["GET", "/accounts/login/"]]
    assert came.index(ELSEWHERE) <= 2, "after one of those who wait, not all"


async def test_programs_keep_no_page_of_people_waiting() -> None:
    site = Site()
    async with asyncio.TaskGroup() as group:
        for _ in range(16):
            group.create_task(site.ask("GET", "/api/v1/campaigns"))
        for other in ("/admin/", "/", "/accounts/login/"):
            group.create_task(site.ask("GET", other, ELSEWHERE))
        await asyncio.sleep(0.01)
        assert site.inside.count((AT, "GET", "/api/v1/campaigns")) == 2
        assert len(site.inside) == 2 + 3
        site.end.set()


async def test_a_program_that_waited_in_vain_is_told_so_as_by_the_api() -> None:
    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    await pages.send_away({"path": "/api/v1/campaigns", "headers": []}, send, 3)
    start, body = sent
    assert start["status"] == json.loads(body["body"])["status"] == 503
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"retry-after"] == b"3"
