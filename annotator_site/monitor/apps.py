from django.apps import AppConfig


class MonitorConfig(AppConfig):
    name = "annotator_site.monitor"
    label = "monitor"
