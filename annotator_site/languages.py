"""Which language a page is in: the one that was chosen here, else the browser's."""

from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

_ADMIN = "/admin/"


class LanguageMiddleware(LocaleMiddleware):
    """Django's, but for the administration, which is in English.

    Django brings translations of its own part of it, and half a translated page is none.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Activate the language of this request."""
        if request.path_info.startswith(_ADMIN):
            translation.activate("en")
            request.LANGUAGE_CODE = "en"
        else:
            super().process_request(request)
