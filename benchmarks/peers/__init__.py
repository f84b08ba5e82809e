"""Other tools, measured on the same machine as Nowait.

Label Studio runs on the same PostgreSQL; it is installed from PyPI into an environment of its own
outside this repository, and nothing of it is imported here. scikit-activeml is imported if it is
installed.
"""
