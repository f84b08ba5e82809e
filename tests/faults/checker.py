"""Invariants of a site after any fault, checked in its database and people's journals."""

from collections.abc import Sequence
from typing import Any, Final

from .site import Site

RULES: Final = {
    "an image has one live query exactly while it is in S": """
        SELECT i.id FROM pools_image i
        LEFT JOIN pools_query q ON q.image_id = i.id AND q.state = 'open'
        GROUP BY i.id HAVING count(q.id) <> (i.state = 'queried')::int""",
    "an image is in the hands of one person at most": """
        SELECT image_id FROM pools_turn WHERE state = 'leased'
        GROUP BY image_id HAVING count(*) > 1""",
    "an image is in L exactly while it has an answer, and is what an answer says": """
        SELECT i.id FROM pools_image i
        LEFT JOIN pools_consensus c ON c.image_id = i.id
        LEFT JOIN pools_label l ON l.image_id = i.id
        GROUP BY i.id, c.image_id
        HAVING (count(l.id) > 0) <> (i.state = 'labeled')
            OR count(l.id) <> coalesce(max(c.answers), 0)
            OR count(l.id) > 0 AND coalesce(bool_and(l.choice_id <> c.choice_id), true)""",
    # A crash can lose the record of a claim. Then the image is shown to somebody else too, and the
    # answer of the first person is stored as a late one.
    "an image has one answer, but for late ones": """
        SELECT image_id FROM pools_label WHERE NOT late
        GROUP BY image_id HAVING count(*) > 1""",
    "the counters are the counts": """
        SELECT 0 WHERE (
            SELECT (sum(unlabeled), sum(queried), sum(labeled), sum(excluded), sum(reserved),
                    sum(answers))::text
            FROM pools_counter
        ) <> (
            SELECT (count(*) FILTER (WHERE state = 'unlabeled'),
                    count(*) FILTER (WHERE state = 'queried'),
                    count(*) FILTER (WHERE state = 'labeled'),
                    count(*) FILTER (WHERE state = 'excluded'),
                    count(*) FILTER (WHERE state = 'reserved'),
                    (SELECT count(*) FROM pools_label))::text
            FROM pools_image)""",
    "a version names its weights": "SELECT id FROM pools_modelversion WHERE key = ''",
}


def violations(site: Site, journal: Sequence[dict[str, Any]]) -> list[str]:
    """All violations: broken rules, and acknowledged labels that are lost, changed or doubled.

    For campaigns with one answer per image, after people have finished. `journal`: the
    acknowledgements of all people since the start of the site.
    """
    wrong = [
        f"{rule}: not so of {found}"
        for rule, statement in RULES.items()
        if (found := [number for (number,) in site.rows(statement)])
    ]
    stored = site.rows(
        """SELECT l.client_id::text, l.turn_id, l.choice_id, u.username, l.retracted_at
           FROM pools_label l
           JOIN pools_annotator a ON a.id = l.annotator_id
           JOIN accounts_user u ON u.id = a.user_id"""
    )
    acknowledged = [
        (line["client_id"], line["query"], line["choice"], line["username"], None)
        for line in journal
    ]
    if len(set(acknowledged)) != len(acknowledged):
        wrong.append("a label was acknowledged twice")
    if lost := set(acknowledged) - set(stored):
        wrong.append(f"{len(lost)} acknowledged labels are not there as they were: {lost}")
    # People have finished, so every stored label must have been acknowledged.
    if extra := set(stored) - set(acknowledged):
        wrong.append(f"{len(extra)} labels are there that nobody was told of: {extra}")
    for (key,) in site.rows("SELECT key FROM pools_modelversion WHERE key <> ''"):
        if not (site.var / "media" / key).exists():
            wrong.append(f"the weights {key} are gone")
    return wrong
