"""Child processes: started, kept alive, placed on devices, and their output gathered.

Standard library only: it must work while the database and the settings do not, and before torch is
loaded. Read next: `supervisor.py` for the loop, `child.py` for one process of it.
"""
