from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "annotator_site.campaigns"
    label = "campaigns"
