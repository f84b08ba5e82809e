"""What people's browsers keep of our pages: nothing, and after a log-out no picture either."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_cache_control

_LOG_OUTS: Final = frozenset({"logout", "admin:logout"})


class PrivatePagesMiddleware:
    """Every page is for one person: no browser and no proxy may store it.

    Styles and scripts do not pass here, nor do images, whose addresses are signed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer, not to be stored; one to a log-out clears what was."""
        response = self.get_response(request)
        if "no-store" not in response.get("Cache-Control", ""):
            patch_cache_control(response, no_store=True, private=True)
        match = request.resolver_match
        # A refused one (an old form) is no log-out.
        if match and match.view_name in _LOG_OUTS and response.status_code < 400:
            # Not "storage": answers that are not sent yet wait there for their person.
            response["Clear-Site-Data"] = '"cache"'
        return response
