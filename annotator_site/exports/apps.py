from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "annotator_site.exports"
    label = "exports"
