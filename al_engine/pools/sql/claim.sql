-- Lease open turns at random: in the order of the index turn_open from a random key on, wrapping
-- round, so that the time does not depend on the size of S, D or L. The n-th turn goes to the n-th
-- entry of `claimers` and `sessions`. MATERIALIZED: a plan that runs a subquery with LIMIT twice
-- would claim more turns than were asked for.
\i parts/claim.sql
\i parts/read_leased.sql
