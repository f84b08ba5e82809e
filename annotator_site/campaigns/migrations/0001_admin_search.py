"""Indexes that only the admin's lists need: on the beginning of names, and on excluded images."""

from django.db import migrations

CREATE = """
CREATE INDEX image_name ON pools_image (name varchar_pattern_ops);
CREATE INDEX image_excluded ON pools_image (id) WHERE resting = 'excluded';
"""

DROP = """
DROP INDEX image_name;
DROP INDEX image_excluded;
"""


class Migration(migrations.Migration):
    dependencies = [("pools", "0002_counters")]
    operations = [migrations.RunSQL(CREATE, DROP)]
