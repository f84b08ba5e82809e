"""Exports of what people answered, with the provenance of each row.

May import al_engine.pools. Read next: rows.py (what is exported), formats.py (how it is written).
"""
