"""Engines report what they do, and processes whether they have nothing to do."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pools", "0013_architectures")]

    operations = [
        migrations.AlterField(
            model_name="engineprocess",
            name="role",
            field=models.CharField(
                choices=[
                    ("server", "server"),
                    ("worker", "worker"),
                    ("embedder", "embedder"),
                    ("engine", "engine"),
                ],
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="engineprocess",
            name="idle",
            field=models.BooleanField(db_default=False, help_text="It has nothing to do now."),
        ),
    ]
