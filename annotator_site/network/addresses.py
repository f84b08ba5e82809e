"""Whose request it is: the address that the proxies of this installation vouch for.

Everybody may send X-Forwarded-For, and each proxy adds on the right whom it heard. With N proxies
in front the N-th value from the right is the last that one of them wrote; the rest is hearsay.
"""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest

UNKNOWN: Final = "unknown"
"""The network of what is no address: all of these together."""
_HERE: Final = "127.0.0.1"
THIS_MACHINE: Final = frozenset({_HERE, "::/64"})
"""The networks of programs here (`::1` is in the second)."""

# An IPv6 address in brackets, or anything with one colon at most: both may have a port.
_WITH_PORT: Final = re.compile(r"\[([^\[\]]+)\](?::\d{1,5})?|([^:]+)(?::\d{1,5})?", re.ASCII)


def client_address(scope: Any) -> str:
    """The address of who asks, in its usual form, without port and zone; "" where there is none.

    What is no address is never taken for one: the word of a proxy that says none is that of the
    proxy itself, whose own address counts then.
    """
    peer = _plain((scope.get("client") or ("",))[0])
    proxies: int = settings.BEHIND_PROXY
    if not proxies:
        return peer
    lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hops = b",".join(lines).decode("latin-1").rsplit(",", proxies)
    # Fewer values than proxies: it came past the outer ones, and the first heard the visitor.
    return _plain(hops[-proxies] if len(hops) >= proxies else hops[0]) or peer


def request_address(request: HttpRequest) -> str:
    """The same of a request that Django answers, whose peer is the visitor already (`Proxied`)."""
    peer = (request.META.get("REMOTE_ADDR", ""), 0)
    return client_address({"client": peer, "headers": []})


def peer_address(host: str | None) -> str:
    """The address by which a connection is counted before anything was read of it.

    Behind a proxy all come from there, and over a Unix socket from nowhere: as from this machine.
    """
    return _HERE if host is None or settings.BEHIND_PROXY else host


def network_of(address: str) -> str:
    """What one subscriber has for themselves: an IPv4 address, or the /64 of an IPv6 one.

    `::ffff:192.0.2.1` is IPv4. `UNKNOWN` for what is no address.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return UNKNOWN
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Network((int(found), 64), strict=False))
    return _usual(found)


def _plain(text: str) -> str:
    """An address as everybody writes it; "" for what is none."""
    text = text.strip()
    with_port = _WITH_PORT.fullmatch(text)
    bare = (with_port[1] or with_port[2]) if with_port else text
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return ""
    return _usual(address)


def _usual(address: IPv4Address | IPv6Address) -> str:
    # What a socket for both kinds says of an IPv4 visitor.
    return str(getattr(address, "ipv4_mapped", None) or address)
