"""Browsers store no page of the site, and a log-out also clears their cached pictures."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

_LOG_OUTS: Final = frozenset({"logout", "admin:logout"})


class PrivatePagesMiddleware:
    """Forbids browsers and proxies to store pages, because every page is for one person.

    Styles, scripts and images (which have signed addresses) do not pass this middleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The response, marked `no-store`; after a log-out it also clears the browser's cache."""
        response = self.get_response(request)
        if "no-store" not in response.get("Cache-Control", ""):
            patch_cache_control(response, no_store=True, private=True)
        match = request.resolver_match
        # A refused log-out (from an old form) is no log-out.
        if match and match.view_name in _LOG_OUTS and response.status_code < 400:
            # Not "storage": it holds the person's answers that are not sent yet.
            response["Clear-Site-Data"] = '"cache"'
        return response
