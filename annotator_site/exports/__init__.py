"""Exporting labels and consensus, with the provenance of each row.

Reads the tables by SQL only; imports al_engine.outputs and command_output, no other package of
the site. Read next: rows.py (what is exported), formats.py (how it is written).
"""
