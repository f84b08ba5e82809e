"""The live page of a campaign: reading a campaign's numbers, judging them, and pushing them.

Owns the page and its WebSocket, and no table. May import al_engine.pools,
annotator_site.accounts, images and network; must never delay the labeling path. Read next:
selectors.py (reads a campaign once), diagnosis.py (finds what stalls), hub.py (one reader for
all watchers), consumer.py.
"""
