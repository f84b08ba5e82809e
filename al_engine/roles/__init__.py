"""The two loops of the paper: `server.py` trains and publishes, `worker.py` scores and selects.

Only this package uses both torch and the pools. Beside the loops: `labeled_set.py` (L as a server
follows it), `crew.py` (a process's workers and their cells), `selector.py` (one worker's choice),
`newest_model.py` (g* and the pass over D), `filler.py` (keeps S filled), `campaign_files.py`
(reading images: into pixels by `campaign_images.py`, into embeddings by `campaign_embeddings.py`),
`embedder.py` (a third loop, which embeds in the background), `life.py` (heartbeats, database
restarts), `engine.py` (all roles as child processes).
"""
