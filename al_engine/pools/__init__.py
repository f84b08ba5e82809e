"""The pools of the paper: D (unlabeled), S (queries), L (labels) and g* (model versions).

Owns every table of the domain and every change of their state: one module a pool
(`unlabeled`, `query`, `labeled`, `versions`), the statements of the hot path in `sql/`.
May import Django's models and psycopg; never torch, never the web site.
Read next: `lifecycle.py` for the states and their arrows, then `query.py` and `labeled.py`.
"""
