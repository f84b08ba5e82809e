"""How the labels of a campaign came about, as numbers from its database."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_SQL = """
    SELECT count(*), count(DISTINCT annotator_id), count(DISTINCT image_id),
           min(answered_at), max(answered_at)
    FROM pools_label WHERE campaign_id = %(campaign)s AND retracted_at IS NULL
"""
_AGREED = """
    SELECT count(*), avg(confidence) FILTER (WHERE answers > 1), count(*) FILTER (WHERE answers > 1)
    FROM pools_consensus WHERE campaign_id = %(campaign)s AND choice_id IS NOT NULL
"""
_STRATEGIES = """
    SELECT DISTINCT strategy FROM pools_query WHERE campaign_id = %(campaign)s ORDER BY strategy
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """Answers that count, people who gave them, images that have one, and when the first and the
    last came; images with a consensus, and of those with several answers (`contested`) the mean
    share of answers that agree; strategies that chose images.
    """

    answers: int
    people: int
    images: int
    first: datetime | None
    last: datetime | None
    agreed: int
    contested: int
    agreement: float | None
    strategies: tuple[str, ...]


def facts_of(campaign_id: int) -> Facts:
    """The facts as they are now."""
    values = {"campaign": campaign_id}
    with connection.cursor() as cursor:
        cursor.execute(_SQL, values)
        answers, people, images, first, last = cursor.fetchall()[0]
        cursor.execute(_AGREED, values)
        agreed, agreement, contested = cursor.fetchall()[0]
        cursor.execute(_STRATEGIES, values)
        strategies = tuple(name for (name,) in cursor.fetchall() if name)
    return Facts(answers, people, images, first, last, agreed, contested, agreement, strategies)
