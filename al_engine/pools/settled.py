"""How far readers outside may follow labels and consensus: each row once, and none missed.

Transactions commit out of order, so a row with a smaller number can appear after a larger one was
read. A reader is therefore given rows only up to a point before which nothing more can appear.
"""

import time
from typing import Final

from django.db import connection

PATIENCE_S: Final = 1.0
"""How long `last_label` waits for transactions that write labels; they take milliseconds."""
_STEP_S: Final = 0.002

# Whoever has taken a number from the sequence holds this lock until its label is visible or never
# will be. The virtual transaction tells a later transaction of the same connection apart.
_WRITERS: Final = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'pools_label'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND granted AND pid <> pg_backend_pid()
"""

# No visible row is of a transaction that the snapshot takes for a future one.
_FOREIGN: Final = """
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       EXISTS (SELECT 1 FROM pools_consensus WHERE campaign_id = %(campaign)s
               AND changed_in >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
"""
_TAKE_OVER: Final = """
UPDATE pools_consensus SET changed_in = pg_current_xact_id()::text::bigint
WHERE campaign_id = %(campaign)s AND changed_in > pg_current_xact_id()::text::bigint
"""


def last_label() -> int | None:
    """An id up to which all labels are visible that ever will be; labels of now are below it.

    Waits for the transactions that write labels now, at most `PATIENCE_S`; None if one took longer.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM pools_label_id_seq"
        )
        (last,) = cursor.fetchone()
        until = time.monotonic() + PATIENCE_S
        waited_for = _writers()
        while waited_for:
            if time.monotonic() > until:
                return None
            time.sleep(_STEP_S)
            waited_for &= _writers()
    return int(last)


def next_transaction(*, campaign_id: int) -> int:
    """A number above the transactions of all consensus rows that are visible now.

    Rows of a campaign that was restored from a dump may carry larger numbers, of transactions of
    another server: they are changed to the present one, and so come again.
    """
    campaign = {"campaign": campaign_id}
    with connection.cursor() as cursor:
        cursor.execute(_FOREIGN, campaign)
        following, foreign = cursor.fetchone()
        if foreign:
            cursor.execute(_TAKE_OVER, campaign)
    return int(following)


def keep() -> None:
    """Wait until everything that was committed before is on disk.

    The desk's transactions commit without waiting for the disk. What a reader was given must not
    be lost in a crash, after which its number could be given to another row.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_logical_emit_message(true, 'nowait', '')")


def _writers() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS)
        return {name for (name,) in cursor.fetchall()}
