"""The language of a page: the one that the person chose on the site, else the browser's."""

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

_ADMIN = "/admin/"


class LanguageMiddleware(LocaleMiddleware):
    """Django's LocaleMiddleware, except that the administration is always in English.

    Django would translate only its own part of the administration.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Activate the language of this request."""
        if request.path_info.startswith(_ADMIN):
            translation.activate("en")
            request.LANGUAGE_CODE = "en"
        else:
            super().process_request(request)
