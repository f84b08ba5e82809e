"""The Content-Security-Policy of the site's pages."""

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# The admin's Alpine.js evaluates expressions in attributes and its templates carry inline scripts
# and styles. Only staff see these pages, and every value in them is escaped by Django.
ADMIN_RELAXATIONS = {
    "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}


class ContentSecurityMiddleware(CSPMiddleware):
    """Sets the policy of the settings on every page, relaxed for Alpine.js on the admin's pages."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """The parts of the policy for this response, by the app of its view."""
        parts = super().get_policy_parts(request, response, report_only)
        match = request.resolver_match
        if match is not None and "admin" in match.app_names:
            parts.replace = {**ADMIN_RELAXATIONS, **(parts.replace or {})}
        return parts
