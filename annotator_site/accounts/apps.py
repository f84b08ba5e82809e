from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "annotator_site.accounts"
    label = "accounts"

    def ready(self) -> None:
        from annotator_site.accounts import security_events

        security_events.listen()
