"""Codes with which the server closes WebSockets of labeling and live pages."""

from enum import IntEnum


class CloseCode(IntEnum):
    """4000 plus the HTTP status with the same meaning in a handshake.

    daphne rejects all registered codes except 1000.
    """

    NOT_LOGGED_IN = 4401
    NOT_ALLOWED = 4403
    NO_SUCH_CAMPAIGN = 4404
    TOO_MANY_CONNECTIONS = 4409
    RESUMED_ELSEWHERE = 4410
    TOO_FAST = 4429
