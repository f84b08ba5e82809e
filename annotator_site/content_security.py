"""What a browser may do on our pages, and the page that a locked-out visitor sees."""

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

# The admin's Alpine.js evaluates expressions in attributes and its templates carry inline scripts
# and styles. Only staff see these pages, and every value in them is escaped by Django.
ADMIN_RELAXATIONS = {
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}


class ContentSecurityMiddleware(CSPMiddleware):
    """The policy of the settings on every page; the admin's pages get what Alpine.js needs."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """The parts of the policy for this answer, told apart by the view that gave it."""
        parts = super().get_policy_parts(request, response, report_only)
        match = request.resolver_match
        if match is not None and "admin" in match.app_names:
            parts.replace = {**ADMIN_RELAXATIONS, **(parts.replace or {})}
        return parts


def locked_out(
    request: HttpRequest,
    original_response: HttpResponse | None = None,
    credentials: dict[str, str] | None = None,
) -> HttpResponse:
    """The login page with status 429 and, in its context, `locked_out` and `cooloff_minutes`."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    context = {
        "form": AuthenticationForm(request),
        "locked_out": True,
        "cooloff_minutes": minutes,
    }
    return render(request, "accounts/login.html", context, status=429)
