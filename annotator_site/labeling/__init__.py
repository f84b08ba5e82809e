"""The labeling path: a label comes in, is made durable, and a fresh query goes out.

May import al_engine.pools, annotator_site.accounts and images. Read consumer.py (one person's
connection), protocol.py (pure messages), desk.py (batches), people.py (connections and the turns
that they hold). page/ has the pages that Django serves.
"""
