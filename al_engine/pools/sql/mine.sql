-- How many answers these people have given and not taken back.
SELECT person.id, l.answers
FROM (SELECT DISTINCT unnest(%(annotators)s::bigint[]) AS id) person
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE l.retracted_at IS NULL) AS answers
                    FROM pools_label l WHERE l.annotator_id = person.id) l
