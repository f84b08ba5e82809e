"""The security log: who logged in, was refused or changed rights, from where, and what it was.

`log.py` writes events, a JSON object a line; `floods.py` counts what comes too often; `files.py`
keeps the files small. `refusals.py` says what was refused, and `accounts/security_events.py` what
happened to people and rights. May import network alone.
"""
