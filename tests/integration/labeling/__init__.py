"""The labeling WebSocket from outside: real web processes, a real database, real clients.

client.py is the client, conftest.py opens connections and ends them. What is promised stands in
docs/protocol.md; each file here is one part of it."""
