"""Start child processes, keep them alive, place them on devices and gather their output.

Standard library only: it must work without the database and the settings, and before torch is
loaded. Read next: `supervisor.py` for the loop, `child.py` for one process of it.
"""
