"""The rows of an export: every label, or one consensus an image, or both, with their provenance.

All rows come from one snapshot through a server-side cursor: memory does not grow with the
campaign, and labeling goes on meanwhile. Rows are ordered by id, so the same state of a campaign
gives the same rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, Literal

from django.db import connection, transaction

from annotator_site.exports.filters import Filters, FilterValue

Rows = Literal["labels", "consensus", "both"]
Value = str | int | float | datetime | None
_ROWS_AT_A_TIME: Final = 2_000
# The reader of an export may be slow (a pipe, a pager); after an idle hour PostgreSQL ends it.
_IDLE_TIMEOUT: Final = "1h"

_PROVENANCE: Final = (
    "purpose", "worker", "strategy", "score", "model_version", "staleness", "query_age_s",
)  # fmt: skip
_ANSWER: Final = (
    "label_id", "image", "sha256", "choice", "annotator", "answered_at", "shown_ms", "retracted_at",
)  # fmt: skip
COLUMNS: Final[dict[Rows, tuple[str, ...]]] = {
    "labels": (*_ANSWER, *_PROVENANCE),
    "consensus": (
        "image", "sha256", "choice", "confidence", "answers", "decided_at", *_PROVENANCE,
    ),
    "both": (
        *_ANSWER, *_PROVENANCE, "consensus_choice", "confidence", "answers", "decided_at",
    ),
}  # fmt: skip
FILE_COLUMNS: Final = ("image_id", "key")
"""Columns that `files` adds: the image's id, and where the storage has its file."""

PROVENANCE_SQL: Final = """
    query.purpose, worker.name, query.strategy, query.score, version.version, label.staleness,
    extract(epoch FROM label.answered_at - query.created_at)::float8
"""
PROVENANCE_JOINS: Final = """
    JOIN pools_query query ON query.id = label.query_id
    LEFT JOIN pools_engineprocess worker ON worker.id = query.worker_id
    LEFT JOIN pools_modelversion version ON version.id = query.model_version_id
"""
ANSWER_SQL: Final = """
    label.client_id::text, image.name, image.sha256, choice.name, annotator.pseudonym,
    label.answered_at, label.shown_ms, label.retracted_at
"""
ANSWER_JOINS: Final = f"""
    JOIN pools_image image ON image.id = label.image_id
    JOIN pools_choice choice ON choice.id = label.choice_id
    JOIN pools_annotator annotator ON annotator.id = label.annotator_id
    {PROVENANCE_JOINS}
"""
CONSENSUS_SQL: Final = f"""
    image.name, image.sha256, choice.name, consensus.confidence, consensus.answers,
    consensus.decided_at, {PROVENANCE_SQL}
"""
# With several answers, the provenance is that of the last answer, which decided.
LAST_LABEL: Final = """LATERAL (
    SELECT last.* FROM pools_label last
    WHERE last.image_id = consensus.image_id AND last.retracted_at IS NULL
    ORDER BY last.id DESC LIMIT 1
) label ON true"""
_FILE_SQL: Final = ", image.id, image.key"
_SELECT: Final[dict[Rows, tuple[str, str, str]]] = {
    # What is selected, from where, and the order.
    "labels": (
        f"{ANSWER_SQL}, {PROVENANCE_SQL}", f"pools_label label {ANSWER_JOINS}", "label.id",
    ),
    "both": (
        f"""{ANSWER_SQL}, {PROVENANCE_SQL},
        agreed.name, consensus.confidence, consensus.answers, consensus.decided_at""",
        f"""pools_label label {ANSWER_JOINS}
        LEFT JOIN pools_consensus consensus
          ON consensus.image_id = label.image_id AND consensus.choice_id IS NOT NULL
        LEFT JOIN pools_choice agreed ON agreed.id = consensus.choice_id""",
        "label.id",
    ),
    "consensus": (
        CONSENSUS_SQL,
        f"""pools_consensus consensus
        JOIN pools_image image ON image.id = consensus.image_id
        JOIN pools_choice choice ON choice.id = consensus.choice_id
        JOIN {LAST_LABEL}
        JOIN pools_annotator annotator ON annotator.id = label.annotator_id
        {PROVENANCE_JOINS}""",
        "consensus.image_id",
    ),
}  # fmt: skip


@contextmanager
def reading_rows(
    *,
    campaign_id: int,
    rows: Rows,
    filters: Filters = Filters(),  # noqa: B008 - immutable
    files: bool = False,
    by_image: bool = False,
) -> Iterator[Iterator[tuple[Value, ...]]]:
    """The rows of a campaign as they are now, in the order of COLUMNS, then of FILE_COLUMNS.

    `files` adds the latter; `by_image` orders by image first. Times are aware datetimes, ages
    seconds. Must not be called inside a transaction, because the snapshot needs a transaction of
    its own (else raises RuntimeError).
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_IDLE_TIMEOUT}'")
        statement, values = _statement(campaign_id, rows, filters, files=files, by_image=by_image)
        with connection.chunked_cursor() as cursor:
            cursor.execute(statement, values)
            chunks = iter(lambda: cursor.fetchmany(_ROWS_AT_A_TIME), [])
            yield (tuple(row) for chunk in chunks for row in chunk)


def _statement(
    campaign_id: int, rows: Rows, filters: Filters, *, files: bool, by_image: bool
) -> tuple[str, list[FilterValue]]:
    what, where_from, order = _SELECT[rows]
    table = "consensus" if rows == "consensus" else "label"
    conditions, values = filters.conditions(rows)
    statement = f"""
        SELECT {what}{_FILE_SQL if files else ""}
        FROM {where_from}
        WHERE {" AND ".join([f"{table}.campaign_id = %s", *conditions])}
        ORDER BY {"image.id, " if by_image else ""}{order}
    """  # noqa: S608 - constants; the values are parameters
    return statement, [campaign_id, *values]
