"""The two loops of the paper: `server.py` trains and publishes, `worker.py` scores and selects.

Only these touch both torch and the pools. Beside them: `labeled_set.py` (L as a server follows
it), `crew.py` (a process' workers and their cells), `selector.py` (one worker's
choice), `newest_model.py` (g* and the pass over D), `campaign_images.py` (images by way of the
cache), `life.py` (heartbeats, database restarts), `engine.py` (all as child processes).
"""
