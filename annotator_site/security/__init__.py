"""The security log: who logged in, was refused or changed rights, from where, and what it was.

`log.py` writes events, a JSON object a line; `floods.py` counts what comes too often; `files.py`
keeps the files small. `signals.py` and `refusals.py` say what happens. May import accounts and the
pools.
"""
