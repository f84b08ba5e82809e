"""Users: log-in, tokens, authentication of WebSockets, and when open connections are closed.

May import al_engine.pools, network and the security log. Read next: models.py, log_in.py,
tokens.py, staff_sessions.py, socket_authentication.py, guard.py.
"""
