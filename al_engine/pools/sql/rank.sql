-- Replace a worker's ranking with that of its new look at its images.
INSERT INTO pools_ranking AS r (worker_id, number, strategy, model_version_id, images, scores,
                                withdraw, confirmed, confirmed_scores)
VALUES (%(worker)s, 1, %(strategy)s, %(version)s, %(images)s::bigint[], %(scores)s::float8[],
        %(withdraw)s::bigint[], %(confirmed)s::bigint[], %(confirmed_scores)s::float8[])
ON CONFLICT (worker_id) DO UPDATE
SET number = r.number + 1, strategy = excluded.strategy,
    model_version_id = excluded.model_version_id, images = excluded.images,
    scores = excluded.scores, used = 0, withdraw = excluded.withdraw,
    confirmed = excluded.confirmed, confirmed_scores = excluded.confirmed_scores, ranked_at = now()
