"""A campaign has a list of architectures, one of which may be chosen by audits."""

import django.contrib.postgres.fields
from django.db import migrations, models

import al_engine.pools.models.campaign


class Migration(migrations.Migration):
    dependencies = [("pools", "0012_embedder")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                # In place: the architecture of each campaign becomes the only one of its list.
                migrations.RunSQL(
                    """ALTER TABLE pools_campaign
                           ALTER COLUMN architecture TYPE varchar(100)[]
                           USING ARRAY[architecture];
                       ALTER TABLE pools_campaign RENAME COLUMN architecture TO architectures""",
                    """ALTER TABLE pools_campaign RENAME COLUMN architectures TO architecture;
                       ALTER TABLE pools_campaign
                           ALTER COLUMN architecture TYPE varchar(100)
                           USING architecture[1]""",
                )
            ],
            state_operations=[
                migrations.RenameField("campaign", "architecture", "architectures"),
                migrations.AlterField(
                    model_name="campaign",
                    name="architectures",
                    field=django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100),
                        default=al_engine.pools.models.campaign.default_architectures,
                        error_messages={
                            "blank": "Name one architecture at least, for example auto."
                        },
                        help_text="Dealt out among the servers; auto: chosen by the images, once "
                        "there are some.",
                        size=None,
                        validators=[al_engine.pools.models.campaign.validate_architectures],
                    ),
                ),
            ],
        ),
        migrations.AlterField(
            model_name="campaign",
            name="model_choice",
            field=models.CharField(
                choices=[
                    ("latest", "the latest published"),
                    ("most_labels", "the one that saw most labels"),
                    ("best_validation", "the most accurate on the holdout"),
                    ("best_audit", "of the architecture that is best on audits"),
                ],
                default="latest",
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(
                condition=models.Q(("key", ""), _negated=True),
                fields=["campaign", "version"],
                name="version_stored",
            ),
        ),
    ]
