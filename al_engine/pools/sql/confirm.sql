-- Record that a newer model would choose these queries again: with its version, strategy and score
-- they count as fresh. Only queries whose turns are all open are changed.
WITH target AS MATERIALIZED (
    SELECT q.id, given.version_id, given.strategy, given.score
    FROM unnest(%(queries)s::bigint[], %(versions)s::bigint[], %(strategies)s::text[],
                %(scores)s::float8[]) AS given(query_id, version_id, strategy, score)
    JOIN pools_query q ON q.id = ANY (ARRAY[given.query_id])
    WHERE q.campaign_id = %(campaign)s AND q.state LIKE 'open'
      AND NOT EXISTS (SELECT 1 FROM pools_turn a
                      WHERE a.image_id = q.image_id AND a.query_id = q.id AND a.state <> 'open'
                      OFFSET 0)
    ORDER BY given.query_id
    FOR NO KEY UPDATE OF q SKIP LOCKED
)
UPDATE pools_query q
SET model_version_id = target.version_id, strategy = target.strategy, score = target.score
FROM target WHERE q.id = ANY (ARRAY[target.id])
