"""Connections that were granted nothing are limited by network, and honest crowds are not."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from annotator_site.network import strangers as module
from annotator_site.network.limits import ONE_EACH_S
from annotator_site.network.strangers import Handshakes, Strangers

HERE = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
ELSEWHERE = ("192.0.2.1", "::ffff:192.0.2.2", "2001:db8::1", "127.0.0.2", "", "rubbish")


class Turns:
    """Whose turn came, in its order."""

    def __init__(self) -> None:
        self.came: list[int] = []
        self._more = asyncio.Event()

    def of(self, number: int) -> Callable[[], None]:
        return partial(self._come, number)

    def _come(self, number: int) -> None:
        self.came.append(number)
        self._more.set()

    async def until(self, count: int) -> None:
        """Wait until so many had theirs."""
        while len(self.came) < count:
            self._more.clear()
            await asyncio.wait_for(self._more.wait(), timeout=5)


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_a_burst_comes_in_then_some_wait_and_the_rest_is_sent_away(address: str) -> None:
    strangers, turns = Strangers(most=5, per_s=50.0, waiting=3), Turns()
    assert all(strangers.come(address, turns.of(number)) for number in range(8))
    assert strangers.come(address, turns.of(8)) is None
    assert strangers.come("198.51.100.1", turns.of(9)) is not None
    began = time.monotonic()
    await turns.until(6)
    assert turns.came == [0, 1, 2, 3, 4, 9]
    await turns.until(9)
    assert turns.came == [0, 1, 2, 3, 4, 9, 5, 6, 7]
    assert time.monotonic() - began > 2 / 50


@pytest.mark.parametrize("address", HERE)
async def test_this_machine_has_no_limit(address: str) -> None:
    strangers, turns = Strangers(most=1, per_s=1.0, waiting=0), Turns()
    assert all(strangers.come(address, turns.of(number)) for number in range(1_000))
    await turns.until(1_000)


async def test_who_comes_at_once_is_read_one_in_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whatever network, or for each three milliseconds of a turn that takes long."""
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    strangers, turns = Strangers(), Turns()
    for number in range(40):
        strangers.come((*HERE, *ELSEWHERE)[number % 9], turns.of(number))
    for number in range(10):
        assert len(turns.came) == number
        await asyncio.sleep(0)
    while len(turns.came) < 38:
        now[0] += 3.5 * ONE_EACH_S
        before = len(turns.came)
        await asyncio.sleep(0)
        assert len(turns.came) - before == 4
    assert turns.came == list(range(len(turns.came)))


async def test_what_is_granted_lets_the_next_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "monotonic", lambda: 0.0)
    strangers, turns = Strangers(most=2, per_s=0.001, waiting=9), Turns()
    came = [strangers.come("192.0.2.1", turns.of(number)) for number in range(5)]
    await turns.until(2)
    assert turns.came == [0, 1]
    for each in came[:2]:
        assert each is not None
        each.granted()
        each.granted()  # once is all that it paid
    await turns.until(4)
    assert turns.came == [0, 1, 2, 3]


async def test_networks_that_owe_nothing_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    strangers = Strangers(most=2, per_s=1.0, waiting=1)
    for number in range(20_000):
        now[0] += 0.01
        strangers.come(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", Turns().of(0))
    assert len(strangers._networks) < 2_500


async def shake(sender: str) -> list[Any]:
    """What a handshake hears that a proxy hands on."""
    heard: list[Any] = []

    async def keep(event: Any) -> None:
        heard.append(event)

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.close"})

    headers = [(b"x-forwarded-for", sender.encode())]
    scope = {"type": "websocket", "path": "/", "headers": headers, "client": ("10.0.0.9", 1)}
    await Handshakes(application)(scope, None, keep)
    return heard


async def test_behind_a_proxy_handshakes_are_counted_by_who_is_behind_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "strangers", Strangers(most=3, per_s=0.001, waiting=0))
    for is_behind, last in ((False, "websocket.close"), (True, "websocket.http.response.body")):
        settings.BEHIND_PROXY = is_behind
        # What a visitor says of themselves does not matter.
        heard = [await shake(f"10.{n}.0.1, 192.0.2.7") for n in range(4)]
        assert [each[-1]["type"] for each in heard] == ["websocket.close"] * 3 + [last]
    assert heard[-1][0]["status"] == 429
    assert (await shake("192.0.2.8"))[-1]["type"] == "websocket.close"
