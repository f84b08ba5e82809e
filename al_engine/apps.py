"""The engine as a Django app: it carries the management commands; its tables are in `pools`."""

from django.apps import AppConfig


class AlEngineConfig(AppConfig):
    """No models and no start-up work of its own."""

    name = "al_engine"
    label = "al_engine"
    verbose_name = "Engine"
