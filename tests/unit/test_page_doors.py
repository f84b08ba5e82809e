"""Which pages wait for which others."""

import asyncio
from typing import Any

import pytest

from annotator_site.accounts import hashing
from annotator_site.pages import Pages

AT, ELSEWHERE = "192.0.2.7", "198.51.100.7"
PASSWORDS = ["/accounts/login/", "/admin/login/", "/admin/password_change/", "/accounts/password/"]


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
