-- Put workers' selections into S: images that are still in D, of cells that the worker holds now. A
-- worker whose cell leases ran out changes nothing. LATERAL: rows are looked up by key, one by one,
-- whatever the statistics of the tables say.
WITH pick AS MATERIALIZED (
    SELECT *
    FROM unnest(%(images)s::bigint[], %(strategies)s::text[], %(scores)s::float8[],
                %(purposes)s::text[], %(versions)s::bigint[], %(workers)s::bigint[])
      AS t(image_id, strategy, score, purpose, version_id, worker_id)
),
held AS MATERIALIZED (
    SELECT pick.*
    FROM pick
    CROSS JOIN LATERAL (SELECT image.campaign_id, image.cell FROM pools_image image
                        WHERE image.id = pick.image_id OFFSET 0) image
    CROSS JOIN LATERAL (SELECT cell.worker_id, cell.lease_expires FROM pools_cell cell
                        WHERE cell.campaign_id = image.campaign_id AND cell.cell = image.cell
                        LIMIT 1) cell
    WHERE image.campaign_id = %(campaign)s
      AND cell.worker_id = pick.worker_id AND cell.lease_expires > clock_timestamp()
),
taken AS (
    UPDATE pools_image image SET state = 'queried'
    FROM held pick
    WHERE image.id = ANY (ARRAY[pick.image_id]) AND image.state = 'unlabeled'
    RETURNING image.id, image.cell, pick.strategy, pick.score, pick.purpose, pick.version_id,
              pick.worker_id
),
asked AS (
    INSERT INTO pools_query (campaign_id, image_id, cell, purpose, answers_wanted, worker_id,
                             strategy, score, model_version_id)
    SELECT %(campaign)s, taken.id, taken.cell, taken.purpose, campaign.answers_per_image,
           taken.worker_id, taken.strategy, taken.score, taken.version_id
    FROM taken JOIN pools_campaign campaign ON campaign.id = %(campaign)s
    RETURNING id, image_id, answers_wanted
),
turns AS (
    INSERT INTO pools_turn (campaign_id, query_id, image_id)
    SELECT %(campaign)s, asked.id, asked.image_id
    FROM asked, generate_series(1, asked.answers_wanted)
)
SELECT count(*) FROM asked
