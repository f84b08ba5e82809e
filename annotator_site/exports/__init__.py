"""Exporting labels and consensus, with the provenance of each row.

Reads the tables by SQL, and image files through al_engine.pools.storage; imports no other package
of the site but command_output. Read next: rows.py (what is exported), formats.py (how it is
written).
"""
