"""Embedders report what they do, as servers and workers do."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pools", "0011_choices_of_architecture")]

    operations = [
        migrations.AlterField(
            model_name="engineprocess",
            name="role",
            field=models.CharField(
                choices=[("server", "server"), ("worker", "worker"), ("embedder", "embedder")],
                max_length=8,
            ),
        ),
        migrations.AlterField(
            model_name="engineprocess",
            name="strategy",
            field=models.CharField(
                blank=True,
                help_text="Of a worker; of an embedder its architecture.",
                max_length=100,
            ),
        ),
    ]
