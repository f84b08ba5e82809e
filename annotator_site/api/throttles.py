"""How often one may ask: a bucket of tokens for each address, and one for each user.

Buckets are this process's own: a site with several web processes allows as many times more. That
costs nothing, where a count shared in the database would cost more than most answers.
"""

import math
import threading
import time
from collections import OrderedDict
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from annotator_site.network.addresses import network_of, request_address

BUCKETS_KEPT: Final = 20_000


class Buckets:
    """Allows `burst` requests at once and `per_s` a second after, of each of many names."""

    def __init__(self, *, burst: float, per_s: float) -> None:
        self.burst = burst
        self.per_s = per_s
        self._lock = threading.Lock()
        # By name: the tokens that were left, and when (monotonic seconds). Oldest use first.
        self._left: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def take(self, name: object, now: float | None = None) -> float:
        """Take one token; the seconds after which there is one again, 0 if it was there."""
        now = time.monotonic() if now is None else now
        with self._lock:
            left, since = self._left.pop(name, (self.burst, now))
            left = min(self.burst, left + (now - since) * self.per_s)
            wait = max(0.0, (1 - left) / self.per_s)
            self._left[name] = (left if wait else left - 1, now)
            if len(self._left) > BUCKETS_KEPT:
                self._left.popitem(last=False)
        return wait


OF_ADDRESS: Final = Buckets(burst=600, per_s=100)
"""An office of programs behind one address; strangers who guess tokens get no further."""
OF_USER: Final = Buckets(burst=200, per_s=30)


class _Throttle(BaseThrottle):
    """Takes a token for each request."""

    def take(self, request: Request) -> float:
        """Take it from the bucket of this request; the seconds until there is one."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether this one may be answered."""
        self._wait = self.take(request)
        return not self._wait

    def wait(self) -> float:
        """Seconds until the next one may be."""
        return math.ceil(self._wait)


class AddressThrottle(_Throttle):
    """Counts all requests of a network, also those that are refused."""

    def take(self, request: Request) -> float:
        """From that of its network."""
        return OF_ADDRESS.take(network_of(request_address(request._request)))


class UserThrottle(_Throttle):
    """Counts the requests of a user, by whichever token or session."""

    def take(self, request: Request) -> float:
        """From that of its user."""
        return OF_USER.take(request.user.pk)
