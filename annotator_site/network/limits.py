"""How much a stranger may send, and how long they may take."""

from typing import Final

FORM_BYTES: Final = 16 * 1024
"""A log-in, a choice of language: the largest that a page of ours sends has a few hundred bytes."""
ADMIN_BYTES: Final = 2_621_440
"""Forms of the administration with long instructions or thousands of rows; Django takes no more."""
BODY_LIMITS: Final = (("/admin/login/", FORM_BYTES), ("/admin/", ADMIN_BYTES))
"""By the beginning of the address, the first that fits; `FORM_BYTES` for everything else, and
for strangers everywhere (`large_forms`)."""

HEADERS_S: Final = 20.0
"""From the first byte of a request, or from the connection, to the end of its headers."""
FORM_S: Final = 20.0
ADMIN_S: Final = 60.0
"""From the headers to the end of the body, at a 20th of the slowest phone network's speed."""

UNFINISHED: Final = 1_000
"""Connections to a web process that have not asked anything whole. Honest requests are whole within
moments, and a browser opens anew what it had kept open in vain."""
UNFINISHED_OF_NETWORK: Final = 250
"""Of these."""
UNGRANTED: Final = 200
"""Connections of one network that were granted nothing yet, in a burst, and how many more a second.
A page that is loaded has some six, for a moment each."""
UNGRANTED_PER_S: Final = 10.0
ONE_EACH_S: Final = 0.003
"""Begins to be read in so much time of a turn of the event loop; a handshake costs 0.6 ms of it."""
WAITING: Final = 500
"""Of one network wait for their turn, unread; what comes then is sent away."""

LINGER_BYTES: Final = 256 * 1024
LINGER_S: Final = 2.0
"""What is read of a connection that was refused, unparsed, so that its answer arrives at all: a
connection that is ended with bytes unread is reset, and the answer is lost with it."""


def body_limit(path: str) -> int:
    """The most bytes of a body that are taken at this path (decoded, without the query)."""
    for beginning, limit in BODY_LIMITS:
        if path.startswith(beginning):
            return limit
    return FORM_BYTES


def body_seconds(limit: int) -> float:
    """How long a body of at most `limit` bytes may take to arrive."""
    return FORM_S if limit <= FORM_BYTES else ADMIN_S


def too_large(path: str, limit: int) -> bytes:
    """What is said with a 413."""
    words = f"This request is too large: at most {limit:,} bytes are taken here"
    if limit < body_limit(path):
        words += " from strangers: log in, open any page of the administration, and send it again"
    return f"{words}.\n".encode()


def too_slow(seconds: float) -> bytes:
    """What is said with a 408."""
    return f"This request took too long: send it whole within {seconds:g} s.\n".encode()
