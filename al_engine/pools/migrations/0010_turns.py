"""A person's turn at a query is called a turn in its table too.

Everything is renamed in place: no row is written anew and no index is built, so that a campaign of
millions is back at once.
"""

from collections.abc import Callable

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q

INDEXES = ("open", "expiry", "held", "skipped", "unshown")
CONSTRAINTS = {
    "once": models.UniqueConstraint(fields=["image", "annotator"], name="turn_once"),
    "state": models.CheckConstraint(
        condition=Q(state__in=["open", "leased", "answered", "skipped", "cancelled"]),
        name="turn_state",
    ),
    "lease": models.CheckConstraint(
        condition=Q(state__in=["answered", "skipped", "cancelled"])
        | Q(state="open", annotator__isnull=True, lease_expires__isnull=True)
        | Q(state="leased", annotator__isnull=False, lease_expires__isnull=False),
        name="turn_lease",
    ),
}
RELATED = {
    "campaign": {"on_delete": models.CASCADE, "to": "pools.campaign"},
    "query": {"on_delete": models.DO_NOTHING, "to": "pools.query"},
    "annotator": {"on_delete": models.DO_NOTHING, "to": "pools.annotator", "null": True},
}


def rename_constraint(name: str) -> migrations.SeparateDatabaseAndState:
    """PostgreSQL renames a constraint, with its index; Django would make it anew."""
    command = "ALTER TABLE pools_turn RENAME CONSTRAINT {}_{} TO {}_{}"
    return migrations.SeparateDatabaseAndState(
        [
            migrations.RunSQL(
                command.format("assignment", name, "turn", name),
                command.format("turn", name, "assignment", name),
            )
        ],
        [
            migrations.RemoveConstraint("turn", f"assignment_{name}"),
            migrations.AddConstraint("turn", CONSTRAINTS[name]),
        ],
    )


def rename_permissions(old: str, new: str) -> Callable[[Apps, BaseDatabaseSchemaEditor], None]:
    """Who may see the table goes on seeing it: Django would make new permissions that nobody has."""

    def rename(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        permissions = apps.get_model("auth", "Permission").objects
        for verb in ("add", "change", "delete", "view"):
            permissions.filter(content_type__app_label="pools", codename=f"{verb}_{old}").update(
                codename=f"{verb}_{new}", name=f"Can {verb} {new}"
            )

    return rename


def rename_what_database_named(old: str, new: str) -> str:
    """Keys, sequences and what may not be null are named after the table by PostgreSQL."""
    return f"""
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT conname, conrelid::regclass AS of_table FROM pg_constraint
                 WHERE conrelid IN ('pools_turn'::regclass, 'pools_label'::regclass)
                   AND starts_with(conname, 'pools_') AND conname LIKE '%{old}%' LOOP
        EXECUTE format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', found.of_table, found.conname,
                       replace(found.conname, '{old}', '{new}'));
    END LOOP;
    FOR found IN SELECT relname FROM pg_class
                 WHERE relkind = 'S' AND starts_with(relname, 'pools_{old}_') LOOP
        EXECUTE format('ALTER SEQUENCE %I RENAME TO %I', found.relname,
                       replace(found.relname, '{old}', '{new}'));
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("pools", "0009_held_by_session"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.RenameModel("Assignment", "Turn"),
        migrations.RenameField("label", "assignment", "turn"),
        *[
            migrations.AlterField(
                "turn",
                name,
                models.ForeignKey(
                    **options, related_name="turns", db_index=False, db_constraint=False
                ),
            )
            for name, options in RELATED.items()
        ],
        *[
            migrations.RenameIndex("turn", f"turn_{name}", old_name=f"assignment_{name}")
            for name in INDEXES
        ],
        *[rename_constraint(name) for name in CONSTRAINTS],
        migrations.RunSQL(
            rename_what_database_named("assignment", "turn"),
            rename_what_database_named("turn", "assignment"),
        ),
        migrations.RunPython(
            rename_permissions("assignment", "turn"), rename_permissions("turn", "assignment")
        ),
    ]
