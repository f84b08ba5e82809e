"""The site as a Django app, which holds the management commands and the system checks."""

from django.apps import AppConfig


class AnnotatorSiteConfig(AppConfig):
    """Registers the system checks of `checks.py`."""

    name = "annotator_site"
    label = "annotator_site"
    verbose_name = "Nowait"

    def ready(self) -> None:
        from annotator_site import checks  # noqa: F401 - importing it registers the checks
