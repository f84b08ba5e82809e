"""The pools of the paper: D (unlabeled), S (queries), L (labels) and g* (model versions).

Owns every table of the domain and every write of one: one module a pool (`unlabeled`, `query`,
`labeled`, `versions`), `campaigns` and `classes` for their settings, the statements of the hot path
in `sql/`. What a campaign does now is read by `readings`, for all that show it.
May import Django's models and psycopg; never torch, never the web site.
Read next: `lifecycle.py` for the states and their arrows, then `query.py` and `labeled.py`.
"""
