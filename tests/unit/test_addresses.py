"""Whose address counts, the connection’s or what the nearest proxy tells, and its network."""

import pytest
from pytest_django.fixtures import Settings

from annotator_site.network.addresses import (
    THIS_MACHINE,
    UNKNOWN,
    client_address,
    network_of,
    peer_address,
)

NETWORKS = {
    "192.0.2.1": "192.0.2.1",
    "255.255.255.255": "255.255.255.255",
    "::ffff:192.0.2.1": "192.0.2.1",
    "::FFFF:C000:201": "192.0.2.1",
    "2001:db8::1": "2001:db8::/64",
    "2001:DB8:0:0:ffff:ffff:ffff:ffff": "2001:db8::/64",
    "2001:db8:0:1::1": "2001:db8:0:1::/64",
    "fe80::1%eth0": "fe80::/64",
    "::1": "::/64",
    **dict.fromkeys(["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "é", "::g"], UNKNOWN),
    **dict.fromkeys(["01.2.3.4", "1.2.3.4:80", "[::1]", "::1/64", "0x7f.1", " 1.2.3.4"], UNKNOWN),
}


@pytest.mark.parametrize(("address", "network"), NETWORKS.items())
def test_an_address_is_counted_with_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_this_machine_is_two_addresses() -> None:
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert network_of(address) in THIS_MACHINE
    for address in ("127.0.0.2", "::ffff:127.0.0.2", "2001:db8::1", "", "unknown"):
        assert network_of(address) not in THIS_MACHINE


def test_over_a_unix_socket_nobody_has_an_address(settings: Settings) -> None:
    settings.BEHIND_PROXY = False
    assert client_address({"headers": [], "client": None}) == ""
    assert network_of(peer_address(None)) in THIS_MACHINE
    assert peer_address("192.0.2.1") == "192.0.2.1"
    settings.BEHIND_PROXY = True
    assert network_of(peer_address("192.0.2.1")) in THIS_MACHINE
