"""Leased turns are found by their connection, and neither of their indexes serves as the other."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("pools", "0008_owners")]

    operations = [
        migrations.RemoveIndex(model_name="assignment", name="assignment_expiry"),
        migrations.RemoveIndex(model_name="assignment", name="assignment_held"),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                fields=["campaign", "lease_expires"],
                condition=Q(state="leased", lease_expires__isnull=False),
                name="assignment_expiry",
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                fields=["session"],
                condition=Q(state="leased", session__isnull=False),
                name="assignment_held",
            ),
        ),
    ]
