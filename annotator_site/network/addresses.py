"""The address of a visitor, as the proxies of this installation report it.

Anybody can send X-Forwarded-For, and each proxy appends its peer's address on the right. With N
proxies in front, the outermost one wrote the N-th value from the right; values to the left of it
are not trusted.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

UNKNOWN: Final = "unknown"
"""The network of everything that is no address."""
_HERE: Final = "127.0.0.1"
THIS_MACHINE: Final = frozenset({_HERE, "::/64"})
"""The networks of programs on this machine (`::1` is in the second)."""

# An IPv6 address in brackets, or anything with one colon at most: both may have a port.
_WITH_PORT: Final = re.compile(r"\[([^\[\]]+)\](?::\d{1,5})?|([^:]+)(?::\d{1,5})?", re.ASCII)


def client_address(scope: Any) -> str:
    """The visitor's address in canonical form, without port and zone; "" if there is none.

    If a proxy reports something that is no address, the proxy's own address counts.
    """
    peer = _plain((scope.get("client") or ("",))[0])
    proxies: int = settings.BEHIND_PROXY
    if not proxies:
        return peer
    lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hops = b",".join(lines).decode("latin-1").rsplit(",", proxies)
    # Fewer values than proxies: the request bypassed the outer ones, so the first value counts.
    return _plain(hops[-proxies] if len(hops) >= proxies else hops[0]) or peer


def request_address(request: HttpRequest) -> str:
    """`client_address` of a Django request, whose peer is the visitor already (`Proxied`)."""
    peer = (request.META.get("REMOTE_ADDR", ""), 0)
    return client_address({"client": peer, "headers": []})


def peer_address(host: str | None) -> str:
    """The address under which a connection is counted before anything is read from it.

    Connections behind a proxy or over a Unix socket count as from this machine.
    """
    return _HERE if host is None or settings.BEHIND_PROXY else host


def network_of(address: str) -> str:
    """The network that one subscriber has: an IPv4 address, or the /64 of an IPv6 address.

    `::ffff:192.0.2.1` is IPv4. Returns `UNKNOWN` for what is no address.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Network((int(found), 64), strict=False))
    return _usual(found)


def _plain(text: str) -> str:
    """An address in canonical form; "" for what is no address."""
    text = text.strip()
    with_port = _WITH_PORT.fullmatch(text)
    bare = (with_port[1] or with_port[2]) if with_port else text
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return ""
    return _usual(address)


def _usual(address: IPv4Address | IPv6Address) -> str:
    # Dual-stack sockets report IPv4 peers as ::ffff:a.b.c.d.
    return str(getattr(address, "ipv4_mapped", None) or address)
