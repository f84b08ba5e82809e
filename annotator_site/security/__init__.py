"""The security log: log-ins, refusals and changes of rights, with user and address.

`log.py` writes events, one JSON object a line; `floods.py` counts events that are too frequent;
`files.py` rotates the files. `refusals.py` logs refusals, and `accounts/security_events.py` changes
to users and rights. May import network alone.
"""
