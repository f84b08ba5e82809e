"""Whose address counts, whatever stands in X-Forwarded-For."""

from typing import Any

import pytest
from forwarded import PROXY, TOLD
from pytest_django import Settings

from annotator_site.network.addresses import client_address, network_of


def scope(*lines: str, peer: Any = (PROXY, 4711)) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    return {"type": "http", "client": peer, "headers": [(b"host", b"localhost"), *headers]}


@pytest.mark.parametrize("line", TOLD, ids=lambda line: line[:30] or "empty")
@pytest.mark.parametrize("proxies", [1, 2, 3])
def test_the_last_trusted_proxys_word_counts(line: str, proxies: int, settings: Settings) -> None:
    settings.BEHIND_PROXY = proxies
    assert client_address(scope(line)) == TOLD[line][proxies - 1]


@pytest.mark.parametrize("line", TOLD, ids=lambda line: line[:30] or "empty")
def test_without_a_proxy_nobodys_word_counts(line: str, settings: Settings) -> None:
    settings.BEHIND_PROXY = 0
    assert client_address(scope(line)) == PROXY


def test_several_lines_are_one_list(settings: Settings) -> None:
    settings.BEHIND_PROXY = 1
    assert client_address(scope("6.6.6.6", "7.7.7.7, 203.0.113.7")) == "203.0.113.7"
    assert client_address(scope("6.6.6.6", "")) == PROXY


@pytest.mark.parametrize("peer", [None, ("", 0), ("nonsense", 0), ["/run/nowait.sock", None]])
@pytest.mark.parametrize("proxies", [0, 1])
def test_who_has_no_address_has_none(peer: Any, proxies: int, settings: Settings) -> None:
    """As behind a Unix socket; there the proxy may still vouch for somebody."""
    settings.BEHIND_PROXY = proxies
    assert client_address(scope(peer=peer)) == ""
    seen = client_address(scope("203.0.113.7", peer=peer))
    assert seen == ("203.0.113.7" if proxies else "")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8::7", "2001:db8::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_what_one_subscriber_has_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network
