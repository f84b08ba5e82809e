"""A picture that was given two classes is remembered, so that the next import does not decide."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pools", "0006_counter_slots")]

    operations = [
        migrations.AddField(
            model_name="image",
            name="known_disputed",
            field=models.BooleanField(
                db_default=False,
                editable=False,
                help_text="It was given two classes: it has none until a table says which.",
            ),
        ),
    ]
