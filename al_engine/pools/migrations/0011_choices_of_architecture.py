"""Campaigns leave their network and image size to the engine; those that there are keep theirs."""

from django.db import migrations, models

import al_engine.pools.models.campaign


class Migration(migrations.Migration):
    dependencies = [
        ("pools", "0010_turns"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="chosen_architecture",
            field=models.CharField(blank=True, default="", editable=False, max_length=100),
        ),
        migrations.AddField(
            model_name="campaign",
            name="chosen_because",
            field=models.TextField(blank=True, default="", editable=False),
        ),
        migrations.AddField(
            model_name="campaign",
            name="chosen_image_size",
            field=models.PositiveSmallIntegerField(default=0, editable=False),
        ),
        migrations.AlterField(
            model_name="campaign",
            name="architecture",
            field=models.CharField(
                default="auto",
                help_text="auto: chosen by the images, once there are some.",
                max_length=100,
            ),
        ),
        migrations.AlterField(
            model_name="campaign",
            name="delivery_architecture",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Also trained, for delivery alone; empty: what selects is what is delivered.",
                max_length=100,
            ),
        ),
        migrations.AlterField(
            model_name="campaign",
            name="image_size",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text="Side of the square that the models see, in pixels; 0: chosen automatically.",
                validators=[al_engine.pools.models.campaign.validate_image_size],
            ),
        ),
        migrations.AlterField(
            model_name="modelversion",
            name="architecture",
            field=models.CharField(max_length=100),
        ),
    ]
