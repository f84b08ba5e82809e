-- How many answers each of these annotators has given and not retracted.
SELECT person.id, l.answers
FROM (SELECT DISTINCT unnest(%(annotators)s::bigint[]) AS id) person
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE l.retracted_at IS NULL) AS answers
                    FROM pools_label l WHERE l.annotator_id = person.id) l
