"""The rows of an export: every label, or one consensus an image, each with its provenance.

All rows of an export come from one snapshot through a server-side cursor: memory does not grow with
the campaign, and labeling goes on meanwhile. Rows are ordered by id, so the same state of a
campaign gives the same rows. Pages of rows, for programs that follow them, come in the order in
which they were committed for good.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from django.db import connection, transaction

from al_engine.pools import settled
from al_engine.pools.sql import BY_INDEX

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
_SELECT: Final[dict[Rows, str]] = {
    "labels": f"""
        SELECT label.client_id::text, image.name, image.sha256, choice.name, annotator.pseudonym,
               label.answered_at, label.shown_ms, label.retracted_at, {_PROVENANCE_SQL}
    """,
    "consensus": f"""
        SELECT image.name, image.sha256, choice.name, consensus.confidence, consensus.answers,
               consensus.decided_at, {_PROVENANCE_SQL}
    """,
}
# With several answers, the provenance is that of the last answer, which decided.
_LAST_LABEL: Final = """LATERAL (
    SELECT last.* FROM pools_label last
    WHERE last.image_id = consensus.image_id AND last.retracted_at IS NULL
    ORDER BY last.id DESC LIMIT 1
) label ON true"""
_LABEL_JOINS: Final = f"""
    JOIN pools_image image ON image.id = label.image_id
    JOIN pools_choice choice ON choice.id = label.choice_id
    JOIN pools_annotator annotator ON annotator.id = label.annotator_id
    {_PROVENANCE_JOINS}
"""
_SQL: Final[dict[Rows, str]] = {
    "labels": f"""
        {_SELECT["labels"]}
        FROM pools_label label
        {_LABEL_JOINS}
        WHERE label.campaign_id = %s
        ORDER BY label.id
    """,
    "consensus": f"""
        {_SELECT["consensus"]}
        FROM pools_consensus consensus
        JOIN pools_image image ON image.id = consensus.image_id
        JOIN pools_choice choice ON choice.id = consensus.choice_id
        JOIN {_LAST_LABEL}
        {_PROVENANCE_JOINS}
        WHERE consensus.campaign_id = %s
        ORDER BY consensus.image_id
    """,
}
# A page of an index: its rows are chosen before anything is joined. Every row is followed by the
# numbers that it is ordered by.
_PAGES: Final[dict[Rows, str]] = {
    "labels": f"""
        {_SELECT["labels"]}, label.image_id, label.id
        FROM (SELECT * FROM pools_label
              WHERE campaign_id = %(campaign)s AND id > %(after)s AND id <= %(until)s
              ORDER BY id LIMIT %(limit)s) label
        {_LABEL_JOINS}
        ORDER BY label.id
    """,  # noqa: S608 - constants
    # Without a choice, an image has left L again.
    "consensus": f"""
        {_SELECT["consensus"]}, consensus.image_id, consensus.changed_in
        FROM (SELECT * FROM pools_consensus
              WHERE campaign_id = %(campaign)s AND changed_in >= %(after)s
                AND (changed_in, image_id) > (%(after)s, %(after_image)s)
                AND changed_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
              ORDER BY changed_in, image_id LIMIT %(limit)s) consensus
        JOIN pools_image image ON image.id = consensus.image_id
        LEFT JOIN pools_choice choice ON choice.id = consensus.choice_id
        LEFT JOIN {_LAST_LABEL}
        {_PROVENANCE_JOINS.replace("JOIN pools_query", "LEFT JOIN pools_query")}
        ORDER BY consensus.changed_in, consensus.image_id
    """,  # noqa: S608 - constants
}


class LostPlace(LookupError):
    """A place behind all that there is: the database was restored from a backup meanwhile."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows by column, with `image_id` beside those of COLUMNS, and where the next page begins."""

    rows: list[dict[str, Value]]
    end: tuple[int, int]


def read_page(*, campaign_id: int, rows: Rows, after: tuple[int, int], limit: int) -> Page:
    """At most `limit` rows after the `end` of an earlier page ((0, 0): from the first on).

    Who goes on from the end of each page gets each label once, as it is when it is read, and each
    change of a consensus once, also while transactions commit out of order (`pools.settled`). A
    page without rows: there is nothing more for now. Raises LostPlace.
    """
    first, second = after
    if rows == "labels":
        newest = settled.last_label()
    else:
        newest = settled.next_transaction(campaign_id=campaign_id)
    if newest is not None and first > newest:
        raise LostPlace
    asked = {
        "campaign": campaign_id,
        "after": first,
        "after_image": second,
        "limit": limit,
        "until": newest,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
        cursor.execute(_PAGES[rows], asked)
        found = cursor.fetchall()
    if not found:
        return Page([], after)
    settled.keep()
    names = (*COLUMNS[rows], "image_id")
    shaped = [dict(zip(names, map(_plain, row), strict=False)) for row in found]
    *_, image_id, number = found[-1]
    return Page(shaped, (number, image_id if rows == "consensus" else 0))


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
