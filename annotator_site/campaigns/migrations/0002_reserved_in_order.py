"""An index for lists of the holdout and gold images, in the order of their numbers."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_admin_search")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX image_reserved_order ON pools_image (campaign_id, id)"
            " WHERE NOT (split = 'pool')",
            "DROP INDEX image_reserved_order",
        )
    ]
