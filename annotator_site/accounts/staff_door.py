"""Checks on staff at every page, besides the log-in."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext

from annotator_site.accounts import staff_sessions
from annotator_site.accounts.second_factor import lacks_second_factor

_OPEN: Final = frozenset({"admin:login", "admin:logout"})


class StaffDoorMiddleware:
    """Ends idle sessions of staff; redirects staff to set up a second factor they need."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The response; to an anonymous user if the session has ended."""
        if getattr(request.user, "is_staff", False) and not staff_sessions.use(request):
            logout(request)
            messages.info(request, gettext("You were logged out after a while. Log in again."))
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        """Applies to every address of the admin, also to future ones."""
        match = request.resolver_match
        if match is None or "admin" not in match.app_names or match.view_name in _OPEN:
            return None
        if lacks_second_factor(request.user):
            return redirect("mfa_activate_totp")
        return None
