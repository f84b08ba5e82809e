from django.apps import AppConfig


class ResearchConfig(AppConfig):
    name = "annotator_site.research"
    label = "research"
