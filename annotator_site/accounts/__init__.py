"""People: log-in, tokens, and whose connections may stay open.

May import al_engine.pools. Read next: models.py, log_in.py, tokens.py, staff_sessions.py, guard.py.
"""
