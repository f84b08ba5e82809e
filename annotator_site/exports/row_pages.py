"""Pages of rows for programs that follow them, in the order in which they were committed for good.

`rows.py` has the columns.
"""

from dataclasses import dataclass
from typing import Final, Literal

from django.db import connection, transaction

from al_engine.pools import settled
from al_engine.pools.sql import BY_INDEX
from annotator_site.exports.outputs import PlainValue, plain
from annotator_site.exports.rows import (
    ANSWER_JOINS,
    ANSWER_SQL,
    COLUMNS,
    CONSENSUS_SQL,
    LAST_LABEL,
    PROVENANCE_JOINS,
    PROVENANCE_SQL,
)

PagedRows = Literal["labels", "consensus"]

# A page of an index: its rows are chosen before anything is joined. Every row is followed by the
# numbers that it is ordered by.
_PAGES: Final[dict[PagedRows, str]] = {
    "labels": f"""
        SELECT {ANSWER_SQL}, {PROVENANCE_SQL}, label.image_id, label.id
        FROM (SELECT * FROM pools_label
              WHERE campaign_id = %(campaign)s AND id > %(after)s AND id <= %(until)s
              ORDER BY id LIMIT %(limit)s) label
        {ANSWER_JOINS}
        ORDER BY label.id
    """,  # noqa: S608 - constants
    # Without a choice, an image has left L again.
    "consensus": f"""
        SELECT {CONSENSUS_SQL}, consensus.image_id, consensus.changed_in
        FROM (SELECT * FROM pools_consensus
              WHERE campaign_id = %(campaign)s AND changed_in >= %(after)s
                AND (changed_in, image_id) > (%(after)s, %(after_image)s)
                AND changed_in < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
              ORDER BY changed_in, image_id LIMIT %(limit)s) consensus
        JOIN pools_image image ON image.id = consensus.image_id
        LEFT JOIN pools_choice choice ON choice.id = consensus.choice_id
        LEFT JOIN {LAST_LABEL}
        {PROVENANCE_JOINS.replace("JOIN pools_query", "LEFT JOIN pools_query")}
        ORDER BY consensus.changed_in, consensus.image_id
    """,  # noqa: S608 - constants
}


class LostPlace(LookupError):
    """A place behind all that there is: the database was restored from a backup meanwhile."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows by column, with `image_id` beside those of COLUMNS, and where the next page begins."""

    rows: list[dict[str, PlainValue]]
    end: tuple[int, int]


def read_page(*, campaign_id: int, rows: PagedRows, after: tuple[int, int], limit: int) -> Page:
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
    shaped = [dict(zip(names, map(plain, row), strict=False)) for row in found]
    *_, image_id, number = found[-1]
    return Page(shaped, (number, image_id if rows == "consensus" else 0))
