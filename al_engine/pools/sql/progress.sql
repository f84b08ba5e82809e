-- The campaign's progress, as annotators are told.
SELECT coalesce(sum(labeled), 0) AS labeled,
       coalesce(sum(unlabeled + queried + labeled), 0) AS total,
       coalesce(sum(answers), 0) AS answers
FROM pools_counter
WHERE campaign_id = %(campaign)s
