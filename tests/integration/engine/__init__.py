"""The engine's roles on the real database, with real training on small digits.

Most tests let a role take one step at a time inside the test's own process (`roles.py`); those of
`test_*_processes.py` start, stop and kill the commands themselves (`children.py`).
"""
