"""The rows of an export: every label, or one consensus an image, each with its provenance.

All rows come from one snapshot through a server-side cursor: memory does not grow with the
campaign, and labeling goes on meanwhile. Rows are ordered by id, so the same state of a campaign
gives the same rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, Literal

from django.db import connection, transaction

Rows = Literal["labels", "consensus"]
Value = str | int | float | None
_ROWS_AT_A_TIME: Final = 2_000
# The reader of an export may be slow (a pipe, a pager); after an idle hour PostgreSQL ends it.
_IDLE_TIMEOUT: Final = "1h"

_PROVENANCE: Final = (
    "purpose", "worker", "strategy", "score", "model_version", "staleness", "query_age_s",
)  # fmt: skip
COLUMNS: Final[dict[Rows, tuple[str, ...]]] = {
    "labels": (
        "label_id", "image", "sha256", "choice", "annotator", "answered_at", "shown_ms",
        "retracted_at", *_PROVENANCE,
    ),
    "consensus": (
        "image", "sha256", "choice", "confidence", "answers", "decided_at", *_PROVENANCE,
    ),
}  # fmt: skip

_PROVENANCE_SQL: Final = """
    query.purpose, worker.name, query.strategy, query.score, version.version, label.staleness,
    extract(epoch FROM label.answered_at - query.created_at)::float8
"""
_PROVENANCE_JOINS: Final = """
    JOIN pools_query query ON query.id = label.query_id
    LEFT JOIN pools_engineprocess worker ON worker.id = query.worker_id
    LEFT JOIN pools_modelversion version ON version.id = query.model_version_id
"""
_SQL: Final[dict[Rows, str]] = {
    "labels": f"""
        SELECT label.client_id::text, image.name, image.sha256, choice.name, annotator.pseudonym,
               label.answered_at, label.shown_ms, label.retracted_at, {_PROVENANCE_SQL}
        FROM pools_label label
        JOIN pools_image image ON image.id = label.image_id
        JOIN pools_choice choice ON choice.id = label.choice_id
        JOIN pools_annotator annotator ON annotator.id = label.annotator_id
        {_PROVENANCE_JOINS}
        WHERE label.campaign_id = %s
        ORDER BY label.id
    """,  # noqa: S608 - constants
    # With several answers, the provenance is that of the last answer, which decided.
    "consensus": f"""
        SELECT image.name, image.sha256, choice.name, consensus.confidence, consensus.answers,
               consensus.decided_at, {_PROVENANCE_SQL}
        FROM pools_consensus consensus
        JOIN pools_image image ON image.id = consensus.image_id
        JOIN pools_choice choice ON choice.id = consensus.choice_id
        JOIN LATERAL (
            SELECT last.* FROM pools_label last
            WHERE last.image_id = consensus.image_id AND last.retracted_at IS NULL
            ORDER BY last.id DESC LIMIT 1
        ) label ON true
        {_PROVENANCE_JOINS}
        WHERE consensus.campaign_id = %s
        ORDER BY consensus.image_id
    """,  # noqa: S608 - constants
}


@contextmanager
def reading_rows(*, campaign_id: int, rows: Rows) -> Iterator[Iterator[tuple[Value, ...]]]:
    """The rows of a campaign as they are now, in the order of COLUMNS.

    Times are ISO 8601 in UTC with microseconds; ages are in seconds. Must not be called inside a
    transaction, because the snapshot needs a transaction of its own (else raises RuntimeError).
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_TIMEOUT}'")
        with connection.chunked_cursor() as cursor:
            cursor.execute(_SQL[rows], [campaign_id])
            chunks = iter(lambda: cursor.fetchmany(_ROWS_AT_A_TIME), [])
            yield (tuple(_plain(value) for value in row) for chunk in chunks for row in chunk)


def _plain(value: Value | datetime) -> Value:
    if isinstance(value, datetime):
        utc = value.astimezone(UTC)
        return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value
