"""The pools of the paper: D (unlabeled), S (queries), L (labels) and g* (model versions).

Owns every table of the domain and all writes to them: one module per pool (`unlabeled`, `query`,
`labeled`, `versions`), `campaigns` and `classes` for the settings, and the statements of the hot
path in `sql/`. `readings` reads the present state of a campaign for everything that shows it. May
import Django's models and psycopg; never torch, never the web site. Read next: `lifecycle.py` for
the states and their transitions, then `query.py` and `labeled.py`.
"""
