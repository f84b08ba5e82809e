"""Exports of what people answered, with the provenance of each row.

Reads the tables by SQL alone and imports no other room. Read next: rows.py (what is exported),
formats.py (how it is written).
"""
