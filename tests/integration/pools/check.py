"""What must always hold of a campaign's pools, as one reading of the tables.

Each statement selects what breaks its rule: the ids of images, queries, turns or labels.
"""

from typing import Final

from django.db import connection

RULES: Final = {
    "an image has one live query exactly while it is in S": """
        SELECT i.id FROM pools_image i
        LEFT JOIN pools_query q ON q.image_id = i.id AND q.state = 'open'
        WHERE i.campaign_id = %(campaign)s
        GROUP BY i.id HAVING count(q.id) <> (i.state = 'queried')::int""",
    "an image has a consensus exactly while it is in L": """
        SELECT i.id FROM pools_image i LEFT JOIN pools_consensus c ON c.image_id = i.id
        WHERE i.campaign_id = %(campaign)s
          AND (c.choice_id IS NOT NULL) <> (i.state = 'labeled')""",
    "only a live query has open turns": """
        SELECT a.id FROM pools_turn a JOIN pools_query q ON q.id = a.query_id
        WHERE a.campaign_id = %(campaign)s AND a.state = 'open' AND q.state <> 'open'""",
    "of a withdrawn query nothing is left": """
        SELECT a.id FROM pools_turn a JOIN pools_query q ON q.id = a.query_id
        WHERE a.campaign_id = %(campaign)s AND q.state = 'withdrawn' AND a.state <> 'cancelled'""",
    "a live query has turns for all the answers that it still needs": """
        SELECT q.id FROM pools_query q
        WHERE q.campaign_id = %(campaign)s AND q.state = 'open'
          AND (SELECT count(*) FROM pools_turn a
               WHERE a.query_id = q.id AND a.state IN ('open', 'leased'))
            < greatest(1, q.answers_wanted - (SELECT count(*) FROM pools_label l
                WHERE l.image_id = q.image_id AND l.retracted_at IS NULL))""",
    "a consensus is the lead of the answers that stand": """
        SELECT c.image_id FROM pools_consensus c
        LEFT JOIN LATERAL (
            SELECT l.choice_id, sum(count(*)) OVER () AS answers,
                   count(*) / sum(count(*)) OVER () AS confidence
            FROM pools_label l WHERE l.image_id = c.image_id AND l.retracted_at IS NULL
            GROUP BY l.choice_id ORDER BY count(*) DESC, min(l.id) LIMIT 1) lead ON true
        WHERE c.campaign_id = %(campaign)s AND c.choice_id IS NOT NULL
          AND (c.choice_id IS DISTINCT FROM lead.choice_id
               OR c.answers IS DISTINCT FROM lead.answers
               OR abs(c.confidence - lead.confidence) > 1e-9)""",
    "a label is of its turn's image, query and campaign": """
        SELECT l.id FROM pools_label l JOIN pools_turn a ON a.id = l.turn_id
        WHERE l.campaign_id = %(campaign)s
          AND (l.image_id, l.query_id, l.campaign_id)
              <> (a.image_id, a.query_id, a.campaign_id)""",
    "an answered turn has the answer of its person": """
        SELECT a.id FROM pools_turn a JOIN pools_image i ON i.id = a.image_id
        WHERE a.campaign_id = %(campaign)s AND a.state = 'answered'
          -- Undoing what was said of an image that is out changes nothing but the answer.
          AND i.state <> 'excluded'
          AND NOT EXISTS (SELECT 1 FROM pools_label l
                          WHERE l.turn_id = a.id AND l.annotator_id = a.annotator_id
                            AND l.retracted_at IS NULL)""",
    "an image of two votes against it is out, but for one that an undo brought back": """
        SELECT a.image_id FROM pools_turn a JOIN pools_image i ON i.id = a.image_id
        WHERE a.campaign_id = %(campaign)s AND a.skip_reason = 'bad_image' AND i.state = 'queried'
          AND a.state = 'skipped' AND a.skip_sender = 'person'
          AND NOT EXISTS (SELECT 1 FROM pools_label l
                          WHERE l.image_id = i.id AND l.retracted_at IS NOT NULL)
        GROUP BY a.image_id HAVING count(DISTINCT a.annotator_id) >= 2""",
    "a turn that is cancelled is nobody's": """
        SELECT a.id FROM pools_turn a
        WHERE a.campaign_id = %(campaign)s AND a.state = 'cancelled'
          AND a.annotator_id IS NOT NULL""",
    "an image is out for a reason, and for none when it is not": """
        SELECT i.id FROM pools_image i
        WHERE i.campaign_id = %(campaign)s AND (i.excluded_for <> '') <> (i.state = 'excluded')""",
    "a verdict is that of two people": """
        SELECT i.id FROM pools_image i
        WHERE i.campaign_id = %(campaign)s AND i.excluded_for = 'verdict'
          AND (SELECT count(DISTINCT a.annotator_id) FROM pools_turn a
               WHERE a.image_id = i.id AND a.state = 'skipped' AND a.skip_reason = 'bad_image'
                 AND a.skip_sender = 'person') < 2""",
    "the counters are the counts": """
        SELECT 0 WHERE (
            SELECT (sum(unlabeled), sum(queried), sum(labeled), sum(excluded), sum(reserved),
                    sum(answers))::text
            FROM pools_counter WHERE campaign_id = %(campaign)s
        ) <> (
            SELECT (count(*) FILTER (WHERE state = 'unlabeled'),
                    count(*) FILTER (WHERE state = 'queried'),
                    count(*) FILTER (WHERE state = 'labeled'),
                    count(*) FILTER (WHERE state = 'excluded'),
                    count(*) FILTER (WHERE state = 'reserved'),
                    (SELECT count(*) FROM pools_label WHERE campaign_id = %(campaign)s))::text
            FROM pools_image WHERE campaign_id = %(campaign)s)""",
}

_ALL: Final = " UNION ALL ".join(
    f"SELECT {place}, broken.id FROM ({rule}) AS broken(id)"
    for place, rule in enumerate(RULES.values())
)


def violations(campaign_id: int) -> list[str]:
    """The rules that are broken, and by what."""
    names = list(RULES)
    with connection.cursor() as cursor:
        cursor.execute(_ALL, {"campaign": campaign_id})
        return [f"{names[place]}: {broken}" for place, broken in cursor.fetchall()]
