"""Serves images to browsers: signed addresses, and a route that bypasses Django's middleware.

May import al_engine.pools. Read next: addresses.py (signing), route.py (serving),
object_addresses.py (signing for a bucket).
"""
