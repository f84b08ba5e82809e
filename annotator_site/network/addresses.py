"""Whose connection this is, as far as its address tells."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final

from django.conf import settings

UNKNOWN: Final = "unknown"
"""The network of what is no address: all of these together."""
_HERE: Final = "127.0.0.1"
THIS_MACHINE: Final = frozenset({_HERE, "::/64"})
"""The networks of programs here (`::1` is in the second)."""


def client_address(scope: Any) -> str:
    """The address of who asks, as the server or the proxy in front saw it; "": not known.

    Behind a proxy that is the last one of `X-Forwarded-For`, which the proxy added: what stands
    before it anybody may have sent.
    """
    if settings.BEHIND_PROXY:
        for name, value in reversed(scope["headers"]):
            if name == b"x-forwarded-for":
                return _without_port(value.decode("latin-1").rpartition(",")[2].strip())
    client = scope.get("client")
    return str(client[0]) if client else ""


def peer_address(host: str | None) -> str:
    """The address by which a connection is counted before anything was read of it.

    Behind a proxy all come from there, and over a Unix socket from nowhere: as from this machine.
    """
    return _HERE if host is None or settings.BEHIND_PROXY else host


def network_of(address: str) -> str:
    """Whom a limit by address counts together: an IPv4 address, or a /64 of IPv6, which is what one
    customer has; `::ffff:192.0.2.1` is IPv4. `UNKNOWN` for what is no address.
    """
    parsed = _parsed(address)
    if parsed is None:
        return UNKNOWN
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is None:
            return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
        parsed = parsed.ipv4_mapped
    return str(parsed)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _without_port(address: str) -> str:
    """Some proxies add it: `192.0.2.1:50000`, `[2001:db8::1]:50000`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
