from django.apps import AppConfig


class ImportingConfig(AppConfig):
    name = "annotator_site.importing"
    label = "importing"
