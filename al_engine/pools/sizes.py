"""The sizes of the pools, from the counters: no count scans D or L."""

from dataclasses import dataclass

from django.db import connection


@dataclass(frozen=True, slots=True)
class Sizes:
    """Images in each pool, and answers ever stored."""

    unlabeled: int
    queried: int
    labeled: int
    excluded: int
    reserved: int
    answers: int

    @property
    def total(self) -> int:
        """Images that people have been or may be asked about: D, S and L."""
        return self.unlabeled + self.queried + self.labeled


def sizes(*, campaign_id: int) -> Sizes:
    """The sizes of D, S and L now."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT coalesce(sum(unlabeled), 0), coalesce(sum(queried), 0),
                      coalesce(sum(labeled), 0), coalesce(sum(excluded), 0),
                      coalesce(sum(reserved), 0), coalesce(sum(answers), 0)
               FROM pools_counter WHERE campaign_id = %s""",
            [campaign_id],
        )
        return Sizes(*(int(value) for value in cursor.fetchone()))


def open_depth(*, campaign_id: int) -> int:
    """How many turns of S are open for a claim. Scans S only, never D or L."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pools_turn WHERE campaign_id = %s AND state = 'open'",
            [campaign_id],
        )
        return int(cursor.fetchone()[0])
