-- Lease open turns at random: from a random key on, wrapping round, in the order of the
-- index, so that the time does not depend on the size of S, D or L. The n-th turn goes to the
-- n-th place of `claimers` and `sessions`. MATERIALIZED: a LIMIT in a subquery that the plan
-- runs twice would claim more than it was asked.
\i parts/claim.sql
\i parts/read_leased.sql
