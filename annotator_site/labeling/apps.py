from django.apps import AppConfig


class LabelingConfig(AppConfig):
    name = "annotator_site.labeling"
    label = "labeling"
