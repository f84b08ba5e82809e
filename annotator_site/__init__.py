"""What people and programs see: pages, the labeling WebSocket, admin, exports, and running it all.

It owns HTTP and WebSockets, accounts, the bundled PostgreSQL and the settings. Of `al_engine` it
imports `al_engine.pools`, `al_engine.supervision` and the pure modules beside them only, and never
torch.

Read next: `labeling/consumer.py` (one annotator's connection), `settings.py` (every setting of
an installation), `running.py` (what `manage.py up` starts and keeps alive).
"""
