-- Common table expressions that store answers as `stored`; shared by answer.sql and exchange.sql.
WITH said AS MATERIALIZED (
    SELECT *
    FROM unnest(%(ids)s::uuid[], %(annotators)s::bigint[], %(turns)s::bigint[],
                %(choices)s::bigint[], %(shown)s::int[], %(images)s::bigint[], %(lists)s::int[])
         WITH ORDINALITY AS t(client_id, annotator_id, turn_id, choice_id, shown_ms, image_id,
                              version, place)
),
stored AS (
    INSERT INTO pools_label (campaign_id, image_id, query_id, turn_id, annotator_id,
                             choice_id, client_id, shown_ms, late, staleness, answered_at)
    SELECT a.campaign_id, a.image_id, a.query_id, a.id, said.annotator_id,
           said.choice_id, said.client_id, said.shown_ms,
           NOT (a.state = 'leased' AND a.annotator_id = said.annotator_id),
           -- NULL where no model chose the query; greatest() ignores NULL and would give 0.
           CASE WHEN version.id IS NOT NULL
                THEN greatest(pool.labeled - version.labels_seen, 0) END,
           clock_timestamp()
    FROM said
    CROSS JOIN LATERAL (SELECT a.id, a.campaign_id, a.query_id, a.image_id, a.state, a.annotator_id,
                               a.former
                        FROM pools_turn a WHERE a.id = said.turn_id OFFSET 0) a
    CROSS JOIN LATERAL (SELECT q.model_version_id FROM pools_query q
                        WHERE q.id = a.query_id OFFSET 0) q
    CROSS JOIN LATERAL (SELECT choice.campaign_id FROM pools_choice choice
                        WHERE choice.id = said.choice_id OFFSET 0) choice
    LEFT JOIN LATERAL (SELECT version.id, version.labels_seen FROM pools_modelversion version
                       WHERE version.id = q.model_version_id OFFSET 0) version ON true
    JOIN pools_campaign campaign ON campaign.id = %(campaign)s
    CROSS JOIN (
        SELECT coalesce(sum(c.labeled), 0) AS labeled
        FROM pools_counter c WHERE c.campaign_id = %(campaign)s
    ) pool
    WHERE a.campaign_id = campaign.id AND choice.campaign_id = campaign.id
      AND ((a.state = 'leased' AND a.annotator_id = said.annotator_id)
           OR said.annotator_id = ANY(a.former))
      AND said.image_id IN (0, a.image_id)
      AND coalesce(said.version, campaign.choices_version) = campaign.choices_version
    -- Labels get ids in the order of arrival: among equals the class answered first decides.
    ORDER BY said.place
    ON CONFLICT DO NOTHING
    RETURNING turn_id, image_id, annotator_id, client_id
),
turned AS (
    UPDATE pools_turn a
    SET state = 'answered', annotator_id = stored.annotator_id, session = NULL, lease_expires = NULL
    FROM stored
    WHERE a.id = ANY (ARRAY[stored.turn_id])
      -- A late answer takes the turn if nobody holds it now; else the answer is an extra one.
      AND ((a.state = 'leased' AND a.annotator_id = stored.annotator_id)
           OR (a.state = 'open' AND NOT EXISTS (
                   SELECT 1 FROM pools_turn other
                   WHERE other.image_id = stored.image_id
                     AND other.annotator_id = stored.annotator_id OFFSET 0)))
)
