"""The system of the paper: pools, strategies, training, and the two roles server and worker.

It knows nothing of HTTP and runs without the web; it never imports `annotator_site`. State is
written by `al_engine.pools` alone; `strategies`, `architectures` and `training` know torch and
never Django; `decisions` and `supervision` know neither.

Read next: `pools/query.py`, `pools/labeled.py`, `roles/server.py`, `roles/worker.py`.
"""
