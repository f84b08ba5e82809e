"""Campaigns have owners. Staff whose permissions held in all campaigns until now keep that."""

from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q

NAME = "Permissions hold in all campaigns, not only own ones"


def keep_all_campaigns(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give `all_campaigns` to people and groups with any permission of the pools or on people."""
    given = Q(content_type__app_label__in=["pools", "accounts", "auth"])
    permissions = apps.get_model("auth", "Permission").objects
    app, model = settings.AUTH_USER_MODEL.split(".")
    people = apps.get_model(app, model).objects.filter(
        user_permissions__in=permissions.filter(given)
    )
    groups = apps.get_model("auth", "Group").objects.filter(
        permissions__in=permissions.filter(given)
    )
    holders = [*people.distinct(), *groups.distinct()]
    if not holders:
        return
    # Django makes the rows of permissions after all migrations only; it takes this one as its own.
    types = apps.get_model("contenttypes", "ContentType").objects
    of_campaigns, _ = types.get_or_create(app_label="pools", model="campaign")
    everywhere, _ = permissions.get_or_create(
        codename="all_campaigns", content_type=of_campaigns, defaults={"name": NAME}
    )
    for holder in holders:
        held = (
            holder.user_permissions if hasattr(holder, "user_permissions") else holder.permissions
        )
        held.add(everywhere)


class Migration(migrations.Migration):
    dependencies = [
        ("pools", "0007_known_disputed"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="owners",
            field=models.ManyToManyField(
                blank=True,
                help_text="Staff whose permissions hold in this campaign.",
                limit_choices_to={"is_staff": True},
                related_name="owned_campaigns",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterModelOptions(
            name="campaign",
            options={"ordering": ["slug"], "permissions": [("all_campaigns", NAME)]},
        ),
        migrations.RunPython(keep_all_campaigns, migrations.RunPython.noop),
    ]
