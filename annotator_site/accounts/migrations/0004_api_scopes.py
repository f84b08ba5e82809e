import django.contrib.postgres.fields
from django.db import migrations, models

import annotator_site.accounts.models

SCOPES = [
    ("label", "Label images"),
    ("watch", "Watch the live page of campaigns"),
    ("read", "Read campaigns, images and labels"),
    ("manage", "Set up and run campaigns"),
]


class Migration(migrations.Migration):
    """Existing tokens keep the scopes that they have: none gets those of the API."""

    dependencies = [("accounts", "0003_sessions_and_attempts")]

    operations = [
        migrations.AlterField(
            model_name="token",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=SCOPES, max_length=16),
                default=annotator_site.accounts.models.every_scope,
                size=None,
            ),
        ),
    ]
