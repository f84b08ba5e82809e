import django.contrib.postgres.fields
from django.db import migrations, models

import annotator_site.accounts.models

SCOPES = [("label", "Label images"), ("watch", "Watch the live page of campaigns")]


class Migration(migrations.Migration):
    """Existing tokens keep every scope and never expire."""

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="token",
            name="name",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Which program this is for, so that it can be told.",
                max_length=100,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="token",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=SCOPES, max_length=16),
                default=annotator_site.accounts.models.every_scope,
                size=None,
            ),
        ),
        # First without the default, which would let existing tokens expire.
        migrations.AddField(
            model_name="token",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="expires"),
        ),
        migrations.AlterField(
            model_name="token",
            name="expires_at",
            field=models.DateTimeField(
                blank=True,
                default=annotator_site.accounts.models.usual_expiry,
                null=True,
                verbose_name="expires",
            ),
        ),
    ]
