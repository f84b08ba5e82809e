from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "annotator_site.security"
    label = "security"

    def ready(self) -> None:
        from annotator_site.security import signals

        signals.listen()
