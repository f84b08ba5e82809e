from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "annotator_site.api"
    label = "api"
