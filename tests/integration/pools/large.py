"""Pools of some ten thousand rows, made by PostgreSQL itself in a second."""

from typing import Final

from django.db import connection

_FILL: Final = """
INSERT INTO pools_image (campaign_id, position, sha256, name, key, width, height, size, cell,
                         split, state, problem)
SELECT %(campaign)s, n + 100, lpad(n::text, 64, '0'), n || '.png', 'images/' || n, 8, 8, 100,
       n %% 64, 'pool', CASE WHEN n < 6000 THEN 'queried' WHEN n < 16000 THEN 'labeled'
                    ELSE 'unlabeled' END, ''
FROM generate_series(0, 29999) n;

INSERT INTO pools_query (campaign_id, image_id, cell, state, strategy)
SELECT campaign_id, id, cell, CASE state WHEN 'queried' THEN 'open' ELSE 'closed' END, 'margin'
FROM pools_image
WHERE campaign_id = %(campaign)s AND state IN ('queried', 'labeled') AND position >= 100;
INSERT INTO pools_query (campaign_id, image_id, cell, state, strategy, closed_at)
SELECT campaign_id, id, cell, 'withdrawn', 'margin', now() - interval '1 hour'
FROM pools_image WHERE campaign_id = %(campaign)s AND position BETWEEN 100 AND 5099;

INSERT INTO pools_turn (campaign_id, query_id, image_id, state, annotator_id, session,
                              lease_expires)
SELECT q.campaign_id, q.id, q.image_id,
       CASE WHEN q.state = 'closed' THEN 'answered' WHEN q.id %% 2 = 0 THEN 'leased'
            ELSE 'open' END,
       CASE WHEN q.state = 'closed' OR q.id %% 2 = 0 THEN
            (%(people)s::bigint[])[1 + q.id %% cardinality(%(people)s::bigint[])] END,
       CASE WHEN q.state = 'open' AND q.id %% 2 = 0 THEN gen_random_uuid() END,
       CASE WHEN q.state = 'open' AND q.id %% 2 = 0
            THEN now() + q.id %% 120 * interval '1 s' END
FROM pools_query q
WHERE q.campaign_id = %(campaign)s AND q.state <> 'withdrawn' AND q.strategy = 'margin';

INSERT INTO pools_label (campaign_id, image_id, query_id, turn_id, annotator_id, choice_id,
                         client_id, shown_ms)
SELECT campaign_id, image_id, query_id, id, annotator_id, %(choice)s, gen_random_uuid(), 700
FROM pools_turn WHERE campaign_id = %(campaign)s AND state = 'answered';

INSERT INTO pools_consensus (image_id, campaign_id, query_id, choice_id, confidence, answers)
SELECT image_id, campaign_id, query_id, choice_id, 1, 1
FROM pools_label WHERE campaign_id = %(campaign)s;
"""

IDS: Final = """
SELECT (SELECT array_agg(id) FROM (SELECT id FROM pools_query
            WHERE campaign_id = %(campaign)s AND state = 'open' LIMIT 64) q),
       (SELECT array_agg(id) FROM (SELECT id FROM pools_turn
            WHERE campaign_id = %(campaign)s AND state = 'leased' LIMIT 64) a),
       (SELECT array_agg(id) FROM (SELECT id FROM pools_image
            WHERE campaign_id = %(campaign)s AND state = 'unlabeled' LIMIT 64) i)
"""
"""Some queries of S, some leased turns and some images of D."""


def fill(campaign_id: int, people: list[int], choices: list[int]) -> None:
    """30,000 images: 14,000 in D, 6,000 in S, half of them held, 10,000 in L, answered once.

    At positions from 100 on: a few may be there already.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"campaign": campaign_id, "people": people, "choice": choices[0]})
