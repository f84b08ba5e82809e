"""People: log-in, tokens, who opens a WebSocket, and whose connections may stay open.

May import al_engine.pools, network and the security log. Read next: models.py, log_in.py,
tokens.py, staff_sessions.py, socket_authentication.py, guard.py.
"""
