"""The site: pages, the labeling WebSocket, admin, exports, and the commands that run everything.

Owns HTTP and WebSockets, accounts, the bundled PostgreSQL and the settings. From `al_engine` it
imports only `al_engine.pools`, `al_engine.supervision` and the pure modules beside them; it never
imports torch.

Read next: `labeling/consumer.py` (one annotator's connection), `settings.py` (every setting of
an installation), `running.py` (what `manage.py up` starts and keeps alive).
"""
