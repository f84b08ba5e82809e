from django.apps import AppConfig


class PoolsConfig(AppConfig):
    name = "al_engine.pools"
    label = "pools"
    verbose_name = "Pools"
    default_auto_field = "django.db.models.BigAutoField"
