"""Why the server ends a WebSocket of somebody who labels or watches."""

from enum import IntEnum


class CloseCode(IntEnum):
    """4000 and the HTTP status that means the same in a handshake.

    daphne refuses the registered codes but 1000.
    """

    NOT_LOGGED_IN = 4401
    NOT_ALLOWED = 4403
    NO_SUCH_CAMPAIGN = 4404
    TOO_MANY_CONNECTIONS = 4409
    RESUMED_ELSEWHERE = 4410
    TOO_FAST = 4429
