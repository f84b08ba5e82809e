"""Limits on what unauthenticated clients may send, and how long they may take."""

from typing import Final

FORM_BYTES: Final = 16 * 1024
"""Log-in or choice of language: the largest form of our pages has a few hundred bytes."""
ADMIN_BYTES: Final = 2_621_440
"""Admin forms with long instructions or thousands of rows; also Django's own limit."""
BODY_LIMITS: Final = (("/admin/login/", FORM_BYTES), ("/admin/", ADMIN_BYTES))
"""By prefix of the path, first match; `FORM_BYTES` for all other paths, and everywhere for clients
without a ticket (`large_forms`)."""

HEADERS_S: Final = 20.0
"""From the first byte of a request, or from the connection, to the end of its headers."""
FORM_S: Final = 20.0
ADMIN_S: Final = 60.0
"""From the headers to the end of the body: enough at a 20th of the slowest phone network."""

UNFINISHED: Final = 1_000
"""Connections of a web process without a complete request. Honest requests are complete within
moments, and browsers reopen idle connections that were closed."""
UNFINISHED_OF_NETWORK: Final = 250
"""The same, per network."""
UNGRANTED: Final = 200
"""Connections of one network that were granted nothing yet: in a burst, and below, per second.
Loading a page opens about six, for a moment each."""
UNGRANTED_PER_S: Final = 10.0
ONE_EACH_S: Final = 0.003
"""Event-loop time per new connection that begins to be read; a handshake costs 0.6 ms."""
WAITING: Final = 500
"""Connections of one network that wait for their turn, unread; further ones are aborted."""

LINGER_BYTES: Final = 256 * 1024
LINGER_S: Final = 2.0
"""How much and how long a refused connection is still read, unparsed, so that its answer arrives:
closing it with unread bytes would reset it and lose the answer."""


def body_limit(path: str) -> int:
    """The body limit in bytes at this path (decoded, without the query), with a ticket."""
    for beginning, limit in BODY_LIMITS:
        if path.startswith(beginning):
            return limit
    return FORM_BYTES


def body_seconds(limit: int) -> float:
    """Seconds that a body of at most `limit` bytes may take to arrive."""
    return FORM_S if limit <= FORM_BYTES else ADMIN_S


def too_large(path: str, limit: int) -> bytes:
    """The text of a 413."""
    words = f"This request is too large: at most {limit:,} bytes are taken here"
    if limit < body_limit(path):
        words += " from strangers: log in, open any page of the administration, and send it again"
    return f"{words}.\n".encode()


def too_slow(seconds: float) -> bytes:
    """The text of a 408."""
    return f"This request took too long: send it whole within {seconds:g} s.\n".encode()
