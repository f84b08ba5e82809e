"""The live page of a campaign: what is read, what it means, and how it is pushed.

Owns the page, its WebSocket and nothing in the database. May import al_engine.pools and
annotator_site.accounts and images; must never delay the labeling path. Read next: selectors.py
(one look at a campaign), diagnosis.py (what stalls), hub.py (one reader for all who watch),
consumer.py.
"""
