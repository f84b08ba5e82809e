"""How pictures go out to browsers: signed addresses, and what serves them past Django.

May import al_engine.pools. Read next: addresses.py (what is signed), route.py (what is served),
object_addresses.py (the same of a bucket).
"""
