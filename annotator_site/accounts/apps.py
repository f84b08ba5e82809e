from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "annotator_site.accounts"
    label = "accounts"
