"""Connections that were granted nothing are limited by network, and honest crowds are not."""

import asyncio
from functools import partial
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from annotator_site.network import strangers as module
from annotator_site.network.strangers import Handshakes, Strangers

HERE = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
ELSEWHERE = ("192.0.2.1", "::ffff:192.0.2.2", "2001:db8::1", "127.0.0.2", "", "rubbish")


def never() -> None:
    raise AssertionError("its turn had come")


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_a_burst_comes_in_then_some_wait_and_the_rest_is_sent_away(address: str) -> None:
    strangers, turns, all_in = (
        Strangers(most=5, per_s=50.0, waiting=3),
        list[int](),
        asyncio.Event(),
    )

    def go_on(number: int) -> None:
        turns.append(number)
        if number == 2:
            all_in.set()

    came = [strangers.come(address, never) for _ in range(5)]
    assert [each is not None and each.waits for each in came] == [False] * 5
    line = [strangers.come(address, partial(go_on, number)) for number in range(3)]
    assert [each is not None and each.waits for each in line] == [True] * 3
    assert strangers.come(address, never) is None
    assert strangers.come("198.51.100.1", never) is not None
    await asyncio.wait_for(all_in.wait(), timeout=5)
    assert turns == [0, 1, 2]


@pytest.mark.parametrize("address", HERE)
def test_this_machine_has_no_limit(address: str) -> None:
    strangers = Strangers(most=1, per_s=1.0, waiting=0)
    assert all(strangers.come(address, never) for _ in range(10_000))


async def test_what_is_granted_lets_the_next_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "monotonic", lambda: 0.0)
    strangers, turns = Strangers(most=2, per_s=0.001, waiting=9), list[int]()
    first = [strangers.come("192.0.2.1", never) for _ in range(2)]
    for number in range(3):
        strangers.come("192.0.2.1", partial(turns.append, number))
    assert turns == []
    for each in first:
        assert each is not None
        each.granted()
        each.granted()  # once is all that it paid
    assert turns == [0, 1]


async def test_networks_that_owe_nothing_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    strangers = Strangers(most=2, per_s=1.0, waiting=1)
    for number in range(20_000):
        now[0] += 0.01
        strangers.come(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", never)
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
