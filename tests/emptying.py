"""Empty the database after each test that commits, in a tenth of the time that Django takes.

Django truncates all tables, which creates a new file for each table and index, and then creates all
permissions again. A test fills a dozen tables with some hundred rows, which are cheaper to delete.
Loaded by `-p` in pyproject.toml.
"""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import Error, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.test import TransactionTestCase

# Tables that migrations fill and no test changes.
STAY = {"django_migrations", "django_content_type", "auth_permission"}
# If a table is larger, all are truncated: deleted rows would stay in its file until a vacuum.
LARGEST_BYTES = 512 * 1024


@pytest.fixture(autouse=True, scope="session")
def deletes_instead_of_truncating() -> Iterator[None]:
    """Replace Django's truncation after each test that may commit."""

    def empty(_: TransactionTestCase) -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                emptied = _delete_all(cursor, _tables())
        except Error:  # a process of the test still writes; truncating waits for it
            emptied = False
        if not emptied:
            # But for those that stay: a site that runs on would not learn their new numbers.
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"TRUNCATE {', '.join(_tables())}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


def _tables() -> list[str]:
    models = apps.get_models(include_auto_created=True)
    return sorted({each._meta.db_table for each in models if each._meta.managed} - STAY)


def _delete_all(cursor: CursorWrapper, tables: list[str]) -> bool:
    """Delete all rows of these tables; returns whether they are empty.

    Returns False without deleting if a table is too large.
    """
    sizes = ", ".join(f"pg_relation_size('{each}')" for each in tables)
    cursor.execute(f"SELECT greatest({sizes})")
    if cursor.fetchone()[0] > LARGEST_BYTES:
        return False
    filled = " UNION ALL ".join(
        f"SELECT '{each}' WHERE EXISTS (SELECT FROM {each})" for each in tables
    )
    # Foreign keys are deferred, so the order is free. But triggers on deletion fill the counters
    # again, so it takes more than one round.
    for _ in range(3):
        cursor.execute(filled)
        found = cursor.fetchall()
        if not found:
            return True
        cursor.execute("; ".join(f"DELETE FROM {table}" for (table,) in found))
    return False
