"""The site as a Django app: it carries the commands and the checks of the installation."""

from django.apps import AppConfig


class AnnotatorSiteConfig(AppConfig):
    """Registers the system checks of `checks.py`."""

    name = "annotator_site"
    label = "annotator_site"
    verbose_name = "Nowait"

    def ready(self) -> None:
        from annotator_site import checks  # noqa: F401 - importing it registers the checks
