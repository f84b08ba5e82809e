"""One campaign on the virtual clock.

May import `al_lab.config` and `al_lab.data`. Read `campaign.py` first, then `world.py` (D, S and L)
and the three who act on it: `servers.py`, `workers.py`, `people.py`.
"""
