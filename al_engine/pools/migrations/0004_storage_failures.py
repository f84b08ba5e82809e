"""What machines find out of pictures is told from what people say of them, and kept apart.

Who skipped an image before it was put back may get it again; the history of it moves to a table of
its own.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

# Until now machines' findings had words alone. Such files are looked at again: whole ones come back.
NAME = """
UPDATE pools_image
SET excluded_for = CASE problem WHEN 'Two people called it unusable.' THEN 'verdict' ELSE 'damaged' END
WHERE state = 'excluded';

UPDATE pools_assignment SET skip_sender = 'person' WHERE state = 'skipped';

WITH past AS (
    UPDATE pools_assignment a
    SET state = 'cancelled', annotator_id = NULL,
        former = array_append(array_remove(a.former, a.annotator_id), a.annotator_id)
    FROM pools_assignment before
    JOIN pools_image image ON image.id = before.image_id
    WHERE a.id = before.id AND a.state = 'skipped' AND a.skipped_at <= image.put_back_at
    RETURNING a.campaign_id, a.image_id, a.id, before.annotator_id, a.skip_reason, a.skip_sender,
              a.skipped_at, image.put_back_at
)
INSERT INTO pools_pastskip (campaign_id, image_id, turn, annotator_id, reason, sender, detail,
                            skipped_at, put_back_at)
SELECT campaign_id, image_id, id, annotator_id, skip_reason, skip_sender, '', skipped_at, put_back_at
FROM past;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("pools", "0003_rankings"),
    ]

    operations = [
        migrations.CreateModel(
            name="PastSkip",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("turn", models.BigIntegerField(help_text="The turn that was skipped.")),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("unsure", "unsure"),
                            ("bad_image", "bad image"),
                            ("other", "other"),
                            ("not_found", "picture not found"),
                            ("not_decodable", "picture not decodable"),
                            ("not_loaded", "picture did not load"),
                        ],
                        max_length=13,
                    ),
                ),
                (
                    "sender",
                    models.CharField(
                        blank=True,
                        choices=[("person", "a person"), ("machine", "a machine")],
                        max_length=7,
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=200)),
                ("skipped_at", models.DateTimeField(null=True)),
                (
                    "put_back_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.AddField(
            model_name="assignment",
            name="skip_detail",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
        migrations.AddField(
            model_name="assignment",
            name="skip_sender",
            field=models.CharField(
                blank=True,
                choices=[("person", "a person"), ("machine", "a machine")],
                db_default="",
                max_length=7,
            ),
        ),
        migrations.AddField(
            model_name="image",
            name="excluded_for",
            field=models.CharField(
                blank=True,
                choices=[
                    ("verdict", "people called it unusable"),
                    ("gone", "its file is not there"),
                    ("damaged", "its file is not what was imported"),
                    ("undecodable", "its file cannot be decoded"),
                ],
                db_default="",
                editable=False,
                max_length=11,
            ),
        ),
        migrations.AlterField(
            model_name="assignment",
            name="skip_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("unsure", "unsure"),
                    ("bad_image", "bad image"),
                    ("other", "other"),
                    ("not_found", "picture not found"),
                    ("not_decodable", "picture not decodable"),
                    ("not_loaded", "picture did not load"),
                ],
                db_default="",
                max_length=13,
            ),
        ),
        migrations.AlterField(
            model_name="image",
            name="put_back_at",
            field=models.DateTimeField(
                blank=True, help_text="When it was last put back, for everybody.", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                condition=models.Q(
                    ("skip_reason__in", ["not_found", "not_decodable", "not_loaded"]),
                    ("state", "skipped"),
                ),
                fields=["campaign", "skipped_at"],
                name="assignment_unshown",
            ),
        ),
        migrations.AddIndex(
            model_name="image",
            index=models.Index(
                condition=models.Q(("excluded_for__in", ["gone", "damaged"])),
                fields=["campaign", "id"],
                name="image_set_aside",
            ),
        ),
        migrations.AddField(
            model_name="pastskip",
            name="annotator",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="pools.annotator",
            ),
        ),
        migrations.AddField(
            model_name="pastskip",
            name="campaign",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="pools.campaign"
            ),
        ),
        migrations.AddField(
            model_name="pastskip",
            name="image",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="past_skips",
                to="pools.image",
            ),
        ),
        migrations.RunSQL(NAME, migrations.RunSQL.noop),
    ]
