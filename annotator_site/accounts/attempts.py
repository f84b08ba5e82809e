"""Counts failed log-ins by name and network, and refuses attempts before a password is hashed.

axes calls this handler before and after each attempt, from any page, and stores the failures;
`pauses.py` has the limits.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Collection, Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from annotator_site.accounts.models import User
from annotator_site.accounts.pauses import (
    CALM,
    WHILE_SPRAYED,
    WINDOW,
    Failures,
    Pause,
    is_spraying,
    pause_of,
)
from annotator_site.network.addresses import network_of, request_address
from annotator_site.security.log import NOBODY, note

if TYPE_CHECKING:
    from django.db.models import QuerySet

log = logging.getLogger(__name__)

TOLD_EVERY_S: Final = 60.0
"""Seconds between two reports of spraying, which would otherwise drown the log."""
NAMES_IN_A_LINE: Final = 10
"""Names and networks listed in one line of the log."""

_PAIR: Final = ("username", "ip_address")


def network_of_request(request: HttpRequest) -> str | None:
    """The network of an attempt, as its first address (IPv6: of the /64); None when unknown.

    All attempts from unknown networks count as from one.
    """
    try:
        network = ip_network(network_of(request_address(request)))
    except ValueError:
        return None
    return str(network.network_address)


def name_of_attempt(request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> str:
    """The user name that is tried, made fit for its column."""
    name = (credentials or request.POST).get("username") or ""
    return name.replace("\0", "")[: User._meta.get_field("username").max_length]


class Attempts(AxesDatabaseHandler):  # type: ignore[misc]
    """axes' database handler with the limits of `pauses.py`.

    Concurrent attempts count the same earlier failures, so they can exceed a limit, but only by
    the few requests that the door in `pages.py` admits at once.
    """

    def __init__(self) -> None:
        self._told_at = -TOLD_EVERY_S

    def get_failures(
        self, request: HttpRequest, credentials: Mapping[str, Any] | None = None
    ) -> int:
        """axes' failure limit while the name or its network is paused, else 0."""
        pause = find_pause(network_of_request(request), name_of_attempt(request, credentials))
        request.log_in_pause = pause  # type: ignore[attr-defined]
        return settings.AXES_FAILURE_LIMIT if pause else 0

    def user_login_failed(
        self,
        sender: object,
        credentials: Mapping[str, Any],
        request: HttpRequest | None = None,
        **kwargs: Any,
    ) -> None:
        """Count a failure; log a warning when a pause begins and when spraying is detected."""
        refused = getattr(request, "axes_locked_out", False)
        super().user_login_failed(sender, credentials, request, **kwargs)
        if request is None or refused:
            return
        if pause := getattr(request, "log_in_pause", None):
            names = [] if pause.of_network else [name_of_attempt(request, credentials)]
            log.warning(
                "Too many wrong passwords: %s from the network %s must wait until %s.",
                _known(names) if names else "all who log in",
                network_of_request(request),
                pause.until.isoformat(timespec="seconds"),
            )
        if time.monotonic() - self._told_at >= TOLD_EVERY_S and is_sprayed():
            self._told_at = time.monotonic()
            _tell_of_spraying()


def locked_out(
    request: HttpRequest,
    original_response: HttpResponse | None = None,
    credentials: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """The page shown in place of the log-in form: status 429, with Retry-After in seconds.

    Its context: `of_network` (the whole network must wait) and `minutes`, rounded up.
    """
    pause: Pause = request.log_in_pause  # type: ignore[attr-defined]
    seconds = max(1, math.ceil((pause.until - timezone.now()).total_seconds()))
    context = {"of_network": pause.of_network, "minutes": math.ceil(seconds / 60)}
    answer = render(request, "accounts/locked_out.html", context, status=429)
    answer["Retry-After"] = str(seconds)
    return answer


def find_pause(network: str | None, name: str) -> Pause | None:
    """The pause that applies now to this name from this network, or None."""
    here = {"ip_address": network, "attempt_time__gt": timezone.now() - WINDOW}
    rows = AccessAttempt.objects.filter(**here)
    failures = [
        Failures(*row)
        for row in rows.values_list("username", "failures_since_start", "attempt_time")
    ]
    if sum(failed.times for failed in failures) < min(WHILE_SPRAYED):
        return None
    limits = WHILE_SPRAYED if is_sprayed() else CALM
    got_in = AccessLog.objects.filter(**here).values("username").distinct().count()
    return pause_of(name, failures, limits=limits, got_in=got_in)


def is_sprayed() -> bool:
    """Whether more pairs of a name and a network fail now than mistyping explains."""
    got_in = User.objects.filter(last_login__gt=timezone.now() - WINDOW).count()
    return is_spraying(_failing().values(*_PAIR).distinct().count(), got_in)


def _failing() -> "QuerySet[Any]":
    failing: QuerySet[Any] = AccessAttempt.objects.filter(attempt_time__gt=timezone.now() - WINDOW)
    return failing


def _tell_of_spraying() -> None:
    pairs = set(_failing().values_list(*_PAIR))
    names, networks = {name for name, _ in pairs}, Counter(network for _, network in pairs)
    most = [network for network, _ in networks.most_common(NAMES_IN_A_LINE)]
    note("spraying", NOBODY, names=len(names), networks=len(networks), most=most)
    log.warning(
        "Somebody tries many passwords: in %d minutes names: %d, networks: %d, most from %s. "
        "The names: %s.",
        WINDOW.total_seconds() // 60,
        len(names),
        len(networks),
        ", ".join(
            f"{network} ({count})" for network, count in networks.most_common(NAMES_IN_A_LINE)
        ),
        _known(names),
    )


def _known(names: Collection[str]) -> str:
    """Names that exist, for the log; an unknown name may be a password in the wrong field."""
    known = sorted(User.objects.filter(username__in=names).values_list("username", flat=True))
    others = len(names) - len(known)
    told = [*known[:NAMES_IN_A_LINE], *(["…"] if len(known) > NAMES_IN_A_LINE else [])]
    if others:
        told.append("a name that nobody has" if others == 1 else f"{others} that nobody has")
    return ", ".join(told)
