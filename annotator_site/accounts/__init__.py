"""People: log-in, tokens, and whose connections may stay open.

May import al_engine.pools. Read next: models.py, tokens.py, guard.py.
"""
