"""Other labeling tools, measured on the same machine and the same PostgreSQL as Nowait.

Each is installed from its package registry into an environment of its own, which is kept outside
of this repository and used again; nothing of it is imported here.
"""
